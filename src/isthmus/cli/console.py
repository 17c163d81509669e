"""What the terminal shows: data on stdout, talk on stderr, colour only where a person looks at it.

Rich and msgspec are imported where they are used: they take longer to load than ``isthmus --help`` does
to run. Rich honours NO_COLOR.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from isthmus.errors import IsthmusError

if TYPE_CHECKING:
    from rich.console import Console

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


# ---------------------------------------------------------------- stdout: data


def write(line: str = "") -> None:
    """Write a line of data."""
    sys.stdout.write(f"{line}\n")


def write_json(value: Any) -> None:
    """Write a value as JSON: nouns as objects, money as strings, times in ISO 8601."""
    import msgspec

    encoded = msgspec.json.encode(value, enc_hook=str)
    write(msgspec.json.format(encoded, indent=2).decode())


def write_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write aligned columns, as wide as they need to be: a table is for eyes, ``--json`` for programs."""
    for line in table(header, rows):
        write(line)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table."""
    from rich.cells import cell_len

    lines = [[printable(cell) for cell in row] for row in (header, *rows)]
    widths = [max(cell_len(cell) for cell in column) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = (cell + " " * (width - cell_len(cell)) for cell, width in zip(line, widths, strict=True))
        yield "  ".join(padded).rstrip()


def write_fields(fields: Mapping[str, str]) -> None:
    """Write labelled values, one a line; what has no value is left out."""
    width = max(map(len, fields)) + 2
    for label, value in fields.items():
        if value:
            write(f"{label + ':':<{width}}{printable(value)}")


def printable(text: str) -> str:
    """Text that can't steer the terminal: control characters, but for line ends and tabs, are spelt out."""
    return _CONTROL.sub(lambda match: repr(match[0])[1:-1], text)


# ---------------------------------------------------------------- stderr: talk


@cache
def stderr() -> "Console":
    """The console that talk goes to; progress bars share it, so that lines don't run into each other."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def say(text: str) -> None:
    """Tell the person something."""
    stderr().print(printable(text))


def dim(text: str) -> None:
    """Tell the person something that they may pass over."""
    stderr().print(printable(text), style="dim")


def note(text: str, hint: str | None = None) -> None:
    """Tell the person something that they should know, beside the result."""
    _labelled("note", "bold cyan", text, hint)


def error(problem: IsthmusError) -> None:
    """Tell the person what went wrong and what to type next."""
    _labelled("error", "bold red", problem.message, problem.hint)


def _labelled(label: str, style: str, text: str, hint: str | None) -> None:
    from rich.text import Text

    lines = [(label, style, text)]
    if hint:
        lines.append(("hint", "bold green", hint))
    for word, colour, rest in lines:
        stderr().print(Text.assemble((word, colour), ": ", printable(rest)))
