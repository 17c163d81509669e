"""A report in the forms that people read: one page, and Markdown."""

from isthmus.evals.report.markdown import as_markdown
from isthmus.evals.report.page import as_page

__all__ = ["as_markdown", "as_page"]
