"""garak's report: ``garak.RUN.report.jsonl``.

Each attempt stands there twice: as the generator left it, then, with status 2, with the detectors' results: a
list of scores for each detector, one for each output, 1 for a hit, null where it gave none. The report ends
with a ``completion`` entry (garak.attempt.Attempt.as_dict, garak.command.end_run; garak 0.17.1).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from isthmus.errors import GateError
from isthmus.gate.importing.matching import Finding, Findings
from isthmus.gate.importing.reading import names_in, number, read_lines, the_one
from isthmus.gate.suites import Columns

_COMPLETE = 2


class Message(Struct, frozen=True):
    """What was said."""

    text: str | None = None


class Turn(Struct, frozen=True):
    """Who said what."""

    role: str
    content: Message


class Conversation(Struct, frozen=True):
    """What was asked, turn by turn."""

    turns: tuple[Turn, ...] = ()


class Entry(Struct, frozen=True):
    """A line of a report."""

    entry_type: str
    uuid: str = ""
    status: int = 0
    prompt: "str | Conversation | None" = None
    outputs: tuple[Any, ...] = ()
    detector_results: dict[str, tuple[float | None, ...]] = {}
    notes: dict[str, Any] | None = None
    goal: str | None = None
    garak_version: str = ""


def read(path: Path, columns: Columns, by: str | None) -> Findings:
    """What garak found, by one of its detectors.

    Raises:
        GateError: It is no report, was cut off, or several detectors looked.
    """
    entries = read_lines(path, Entry, "garak")
    if not any(each.entry_type == "completion" for each in entries):
        raise GateError(f"{path} was cut off: the run that it reports has no end")
    attempts: dict[str, Entry] = {}
    for each in entries:
        if each.entry_type == "attempt" and attempts.get(each.uuid, each).status <= each.status:
            attempts[each.uuid] = each
    names = (name for each in attempts.values() for name in each.detector_results)
    detector = the_one(names, by, "detector")
    version = next((each.garak_version for each in entries if each.garak_version), "")
    found = tuple(each for entry in attempts.values() for each in _findings(entry, detector, columns))
    return Findings(f"garak {version}".strip(), detector, found)


def _findings(entry: Entry, detector: str, columns: Columns) -> Iterator[Finding]:
    """One for each output; without any, that is an error, and without a score nothing was decided."""
    texts = tuple(each for each in (_asked(entry.prompt), entry.goal) if each)
    names = names_in(entry.notes or {}, columns.id)
    scores = entry.detector_results.get(detector, ()) if entry.status == _COMPLETE else ()
    for rank in range(max(1, len(entry.outputs))):
        output = entry.outputs[rank] if rank < len(entry.outputs) else None
        score = number(scores[rank]) if rank < len(scores) else None
        yield Finding(score, texts, names, failed=output is None)


def _asked(prompt: str | Conversation | None) -> str | None:
    """What the user said last: in a conversation, or in the plain text of older versions."""
    if not isinstance(prompt, Conversation):
        return prompt
    said = (turn.content.text for turn in reversed(prompt.turns) if turn.role == "user")
    return next(said, None)
