"""``isthmus handoff export``: the ledger's questions as JSON lines or CSV, however many there are."""

import csv
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, TextIO, TypeAlias

import msgspec
import typer

from isthmus.cli import console
from isthmus.cli.amounts import counted
from isthmus.cli.database import database
from isthmus.cli.handoff_filters import (
    KeyOption,
    ProviderOption,
    ReasonOption,
    Since,
    TargetOption,
    Until,
    selection,
)
from isthmus.errors import UsageError
from isthmus.ledger import ChainedQuestion, Ledger, QuestionRecord
from isthmus.store.disk import storage_errors

CHAIN = ("link", "previous_hash", "hash")
COLUMNS = (*QuestionRecord.__struct_fields__, *CHAIN)

_Writer: TypeAlias = Callable[[Iterable[ChainedQuestion], TextIO], int]
_NESTED = ("evidence", "redacted", "attempts")


def export(
    format_: Annotated[str, typer.Option("--format", metavar="FORMAT", help="jsonl or csv.")] = "jsonl",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write there, not to stdout.")
    ] = None,
    since: Since = None,
    until: Until = None,
    target: TargetOption = None,
    reason: ReasonOption = None,
    key: KeyOption = None,
    provider: ProviderOption = None,
) -> None:
    """Export questions, oldest first, with their hashes: JSON lines or CSV.

    There is no text in it: questions, answers and what left are digests (SHA-256).
    """
    write = _WRITERS.get(format_)
    if write is None:
        raise UsageError(f"--format can't be {format_!r}", hint="--format jsonl or --format csv")
    chosen = selection(since, until, target, reason, key, provider)
    with database() as engine:
        questions = Ledger(engine).each(chosen)
        if output is None:
            write(questions, sys.stdout)
            return
        with storage_errors(output), output.open("w", encoding="utf-8", newline="") as file:
            count = write(questions, file)
    console.say(f"Wrote {counted(count, 'question')} to {output}.")


def _write_lines(questions: Iterable[ChainedQuestion], file: TextIO) -> int:
    count = 0
    for count, question in enumerate(questions, 1):  # noqa: B007 - the last one is the count
        file.write(msgspec.json.encode(_values(question)).decode() + "\n")
    return count


def _write_csv(questions: Iterable[ChainedQuestion], file: TextIO) -> int:
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    count = 0
    for count, question in enumerate(questions, 1):  # noqa: B007 - the last one is the count
        values = _values(question)
        for name in _NESTED:
            values[name] = msgspec.json.encode(values[name]).decode()
        values["at"] = question.record.at.isoformat()
        values["cost_usd"] = f"{question.record.cost_usd:f}"
        writer.writerow({name: _plain(value) for name, value in values.items()})
    return count


_WRITERS: dict[str, _Writer] = {"jsonl": _write_lines, "csv": _write_csv}


def _values(question: ChainedQuestion) -> dict[str, Any]:
    values = msgspec.structs.asdict(question.record)
    values["cost_usd"] = f"{question.record.cost_usd:f}"
    values.update((name, getattr(question, name)) for name in CHAIN)
    return values


def _plain(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t")) else value
