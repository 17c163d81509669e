"""A report of a release on its way: what was found, who signed, what that proves; as nouns and as a page."""

from isthmus.gate.report.page import as_page
from isthmus.gate.report.summary import GateReport, summarise

__all__ = ["GateReport", "as_page", "summarise"]
