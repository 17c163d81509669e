"""``isthmus handoff label``: what somebody says of answers, from which a report tells their quality."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer

from isthmus.cli import console
from isthmus.cli.database import database
from isthmus.errors import UsageError
from isthmus.ledger import Ledger
from isthmus.ledger.labels import label as write_labels

_WORDS = {"right": True, "wrong": False}


class _Line(msgspec.Struct):
    id: str
    label: Literal["right", "wrong"]


def label(
    id_: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="A question's id, or how it begins.")
    ] = None,
    word: Annotated[str | None, typer.Argument(metavar="[right|wrong]", help="What its answer was.")] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help='JSON lines: {"id": "...", "label": "right"}.'),
    ] = None,
) -> None:
    """Call an answer right or wrong; `isthmus handoff report` then tells the quality."""
    if (file is None) == (id_ is None):
        raise UsageError("name a question or a file", hint="isthmus handoff label ID right")
    with database() as engine:
        if file is not None:
            said = _read(file)
        else:
            if word not in _WORDS or id_ is None:
                raise UsageError(
                    f"an answer is right or wrong, not {word!r}", hint=f"isthmus handoff label {id_} right"
                )
            said = {Ledger(engine).find(id_).record.id: _WORDS[word]}
        write_labels(engine, said)
    console.say(f"{len(said)} labelled." if file else f"Question {next(iter(said))} is labelled {word}.")


def _read(file: Path) -> dict[str, bool]:
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise UsageError(f"{file} can't be read: {(error.strerror or str(error)).lower()}") from error
    said: dict[str, bool] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found = msgspec.json.decode(line, type=_Line)
        except msgspec.DecodeError as error:
            raise UsageError(
                f"{file}, line {number}: {error}".rstrip("."), hint='{"id": "...", "label": "right"}'
            ) from error
        said[found.id] = _WORDS[found.label]
    return said
