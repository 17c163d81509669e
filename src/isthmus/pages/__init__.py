"""What all pages share: one palette, one frame, tables, and charts in the reader's colours."""

from isthmus.pages.charts import INK, Spec, chart
from isthmus.pages.document import document, fields, table

__all__ = ["INK", "Spec", "chart", "document", "fields", "table"]
