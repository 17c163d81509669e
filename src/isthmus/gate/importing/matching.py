"""From what a tool found to outcomes: which prompt of the sealed suite it was, and whether it was bad.

A prompt is known by its text, or by the suite's own column of names; never by its place in somebody's file.
What is of no prompt of the suite is passed over, and counted: a prompt that is left without an outcome is
"missing", so leaving some out gains nothing. Whatever a tool didn't decide is ``unparsed``.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from isthmus.errors import GateError
from isthmus.gate.policy import Area
from isthmus.gate.runs import Outcome, RunHeader, Sample, to_bytes
from isthmus.gate.suites import Question

Bad: TypeAlias = Literal["high", "low"]
"""Which scores are the bad event: of a detector's hits the high ones, of right answers mostly the low."""


class Finding(Struct, frozen=True):
    """One answer, as a tool saw it.

    Attributes:
        score: From 0 to 1; None where the tool didn't decide.
        texts: What may have been asked, as it may stand in the suite.
        names: What the tool calls the prompt by the suite's own column.
        failed: Whether there is no answer at all.
    """

    score: float | None
    texts: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    failed: bool = False


class Findings(Struct, frozen=True):
    """All that a file holds, which of its scores that is, and what made it."""

    tool: str
    by: str
    findings: tuple[Finding, ...]


class Imported(Struct, frozen=True):
    """A run's file, and how many answers were of no prompt of the suite."""

    content: bytes
    strange: int


def bad_of(measure: str, scores: Literal["hits", "passes", "right"]) -> Bad | None:
    """Which scores of an area are the bad event; None where nobody can tell without being told.

    Args:
        measure: The area's.
        scores: What the tool's are: hits of a detector, passes of an assertion, right answers.
    """
    if scores == "hits":
        return "high"
    if measure == "ceiling":
        return "high"
    return "low" if scores == "passes" or measure == "floor" else None


def import_run(
    found: Findings, header: RunHeader, questions: Sequence[Question], bad: Bad, at_least: float = 0.5
) -> Imported:
    """A run's file.

    Args:
        found: What the tool found.
        header: What it is of.
        questions: The sealed suite's.
        bad: Which scores are the bad event.
        at_least: The least score that is high.

    Raises:
        GateError: None of it is of a prompt of the suite.
    """
    known = _Known(questions)
    samples: list[Sample] = []
    numbers: Counter[str] = Counter()
    for each in found.findings:
        name = known.name_of(each)
        if name is not None:
            samples.append(Sample(name, _outcome(each, bad, at_least), numbers[name]))
            numbers[name] += 1
    if not samples:
        raise GateError(
            "none of its prompts is one of the sealed suite",
            hint="it was run on other prompts, or shows them in another form than the suite's",
        )
    return Imported(to_bytes(header, samples), len(found.findings) - len(samples))


def require_judged_elsewhere(name: str, area: Area) -> None:
    """Make sure that an area's judge isn't one that the gate runs itself, whose opinion another tool hasn't.

    Raises:
        GateError: It is.
    """
    if not area.judge.elsewhere:
        raise GateError(
            f"{name} is judged by {area.judge.name}, which the gate runs itself, and no other tool did",
            hint=f"isthmus gate run --area {name}",
        )


class _Known:
    """A suite's prompts, by what may tell them."""

    def __init__(self, questions: Iterable[Question]) -> None:
        self._ids: set[str] = set()
        by_text: dict[str, list[str]] = {}
        for each in questions:
            self._ids.add(each.id)
            by_text.setdefault(_plain(each.text), []).append(each.id)
        self._texts: Mapping[str, str] = {text: ids[0] for text, ids in by_text.items() if len(ids) == 1}

    def name_of(self, finding: Finding) -> str | None:
        """The prompt's name; a text is surer than a name that another column may have given."""
        found = (self._texts[text] for text in map(_plain, finding.texts) if text in self._texts)
        named = (name for name in finding.names if name in self._ids)
        return next(found, None) or next(named, None)


def _outcome(finding: Finding, bad: Bad, at_least: float) -> Outcome:
    if finding.failed:
        return "error"
    if finding.score is None or not math.isfinite(finding.score):
        return "unparsed"
    return "violated" if (finding.score >= at_least) == (bad == "high") else "resisted"


def _plain(text: str) -> str:
    """A text but for its white space."""
    return " ".join(text.split())
