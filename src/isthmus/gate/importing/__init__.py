"""Other tools' results as a run: garak, promptfoo, lm-eval, Inspect."""

from isthmus.gate.importing.matching import (
    Bad,
    Findings,
    bad_of,
    import_run,
    require_judged_elsewhere,
)
from isthmus.gate.importing.tools import TOOLS, Tool, read_findings

__all__ = [
    "TOOLS",
    "Bad",
    "Findings",
    "Tool",
    "bad_of",
    "import_run",
    "read_findings",
    "require_judged_elsewhere",
]
