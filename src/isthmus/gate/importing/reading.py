"""Reading other tools' files: whole, or not at all."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

import msgspec

from isthmus.errors import GateError
from isthmus.gate.project import read_file

Object: TypeAlias = Mapping[str, Any]
Shape = TypeVar("Shape")


def read_json(path: Path, shape: type[Shape], tool: str) -> Shape:
    """A file that is one JSON document.

    Raises:
        GateError: It isn't, or was cut off.
    """
    try:
        return msgspec.json.decode(read_file(path), type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise GateError(f"{path} is no whole file of {tool}'s: {error}") from error


def read_lines(path: Path, shape: type[Shape], tool: str) -> list[Shape]:
    """A file of JSON lines, the last of which is whole.

    Raises:
        GateError: It isn't, or was cut off.
    """
    content = read_file(path)
    if content and not content.endswith(b"\n"):
        raise GateError(f"{path} was cut off: its last line has no end")
    found: list[Shape] = []
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            found.append(msgspec.json.decode(line, type=shape))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise GateError(f"line {number} of {path} is none of {tool}'s: {error}") from error
    return found


def the_one(names: Iterable[str], by: str | None, what: str) -> str:
    """Which of several scores is meant.

    Raises:
        GateError: None has that name, or there are several and none is named.
    """
    known = list(dict.fromkeys(names))
    if by is None:
        if len(known) == 1:
            return known[0]
        raise GateError(
            f"it has {len(known)} {what}s, and one decides" if known else f"it has no {what}",
            hint=f"--by {' or '.join(known)}"[:400] if known else None,
        )
    if by not in known:
        raise GateError(f"it has no {what} {by}", hint=f"it has {', '.join(known)}"[:400])
    return by


def texts_in(row: Object, column: str) -> tuple[str, ...]:
    """What a row may have asked: its own column, and whatever else of it is text."""
    own = row.get(column)
    others = [value for value in row.values() if isinstance(value, str)]
    return tuple(dict.fromkeys([own, *others] if isinstance(own, str) else others))


def names_in(row: Object, column: str) -> tuple[str, ...]:
    """What a row calls itself, by the suite's column of names."""
    value = row.get(column) if column else None
    return (str(value),) if isinstance(value, str | int) and not isinstance(value, bool) else ()


def number(value: Any) -> float | None:
    """A score, also where it is a yes or no; None where it is something else."""
    return float(cast("float", value)) if isinstance(value, bool | int | float) else None
