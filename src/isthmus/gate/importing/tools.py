"""The tools whose results can be imported, and what their scores are."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from msgspec import Struct

from isthmus.errors import UsageError
from isthmus.gate.importing import garak, inspect_logs, lm_eval, promptfoo
from isthmus.gate.importing.matching import Findings
from isthmus.gate.suites import Columns


class Tool(Struct, frozen=True):
    """A tool: how its file is read, and what a high score of it says."""

    read: Callable[[Path, Columns, str | None], Findings]
    scores: Literal["hits", "passes", "right"]


TOOLS: Mapping[str, Tool] = {
    "garak": Tool(garak.read, "hits"),
    "promptfoo": Tool(promptfoo.read, "passes"),
    "lm-eval": Tool(lm_eval.read, "right"),
    "inspect": Tool(inspect_logs.read, "right"),
}


def read_findings(tool: str, path: Path, columns: Columns, by: str | None) -> Findings:
    """What a tool's file holds.

    Args:
        tool: One of `TOOLS`.
        path: Its file.
        columns: Those of the area's suite.
        by: Which of its scores; None: its only one.

    Raises:
        UsageError: There is no such tool.
        GateError: The file is no such tool's, was cut off, or has several scores.
    """
    if tool not in TOOLS:
        raise UsageError(f"nothing is imported from {tool}", hint=f"--from {' or '.join(TOOLS)}")
    return TOOLS[tool].read(path, columns, by)
