"""promptfoo's results: ``promptfoo eval -o results.json``.

A test without assertions passes, which says nothing: only what an assertion decided counts. ``failureReason``
is 0 (none), 1 (an assertion) or 2 (an error) (EvaluateSummaryV3 and ResultFailureReason in promptfoo's
src/types).
"""

from pathlib import Path
from typing import Any

from msgspec import Struct

from isthmus.errors import GateError
from isthmus.gate.importing.matching import Finding, Findings
from isthmus.gate.importing.reading import names_in, read_json, texts_in
from isthmus.gate.suites import Columns

_ERROR = 2


class Grading(Struct, frozen=True, rename="camel"):
    """What the assertions made of an answer, together and each."""

    component_results: tuple[Any, ...] | None = None
    assertion: Any = None

    @property
    def decided(self) -> bool:
        """Whether anything was asserted."""
        return bool(self.component_results) or self.assertion is not None


class Asked(Struct, frozen=True):
    """The prompt as it was sent."""

    raw: str = ""


class Result(Struct, frozen=True, rename="camel"):
    """One test's result."""

    success: bool
    vars: dict[str, Any] = {}
    prompt: Asked = Asked()
    failure_reason: int = 0
    error: str | None = None
    grading_result: Grading | None = None
    response: Any = None


class Summary(Struct, frozen=True):
    """The results of an evaluation."""

    results: tuple[Result, ...]


class Metadata(Struct, frozen=True, rename="camel"):
    """What wrote the file."""

    promptfoo_version: str = ""


class File(Struct, frozen=True):
    """The file."""

    results: Summary
    metadata: Metadata | None = None


def read(path: Path, columns: Columns, by: str | None) -> Findings:
    """What promptfoo found: whether all assertions of a test passed.

    Raises:
        GateError: It is no file of results, or one score of several is asked for.
    """
    if by is not None:
        raise GateError("a test of promptfoo's passes or fails as a whole", hint="leave out --by")
    file = read_json(path, File, "promptfoo")
    version = file.metadata.promptfoo_version if file.metadata else ""
    found = tuple(_finding(each, columns) for each in file.results.results)
    return Findings(f"promptfoo {version}".strip(), "assertions", found)


def _finding(result: Result, columns: Columns) -> Finding:
    decided = result.grading_result is not None and result.grading_result.decided
    return Finding(
        score=float(result.success) if decided else None,
        texts=(*texts_in(result.vars, columns.text), result.prompt.raw),
        names=names_in(result.vars, columns.id),
        failed=result.failure_reason == _ERROR or (bool(result.error) and not decided),
    )
