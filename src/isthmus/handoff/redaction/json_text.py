r"""JSON text as a detector should read it, and the way back: escapes read, and valid JSON afterwards.

In the text ``"to": "a\nmario@example.org"`` the mail address begins after the escape, not at its ``n``. So
detectors read a `View`, in which escapes are the characters that they stand for, and what they find is
brought back to the bounds of the strings and numbers that it lies in.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from isthmus.handoff.redaction.spans import Span

_ESCAPE = re.compile(
    r"\\(?:[\"\\/bfnrt]|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4})"
)
_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|-?[0-9][0-9.eE+-]*', re.DOTALL)
_ANY = msgspec.json.Decoder(msgspec.Raw)


def is_json(text: str) -> bool:
    """Whether a text is a JSON object or list."""
    stripped = text.strip()
    if stripped[:1] not in ("{", "["):
        return False
    try:
        _ANY.decode(stripped)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return False
    return True


class Place(Struct, frozen=True, gc=False):
    """A stretch of JSON text that can be replaced; ``bare`` if it is a number, which a string replaces."""

    start: int
    end: int
    kind: str
    bare: bool = False


class View:
    """JSON text with its escapes read."""

    def __init__(self, raw: str) -> None:
        self._raw = raw
        self._read: list[int] = [0]  # from these positions of the text that is read...
        self._written: list[int] = [0]  # ...on, it lies at these of the raw one
        if "\\" not in raw:
            self.text = raw
            return
        pieces: list[str] = []
        length = position = 0
        for escape in _ESCAPE.finditer(raw):
            sign = msgspec.json.decode(f'"{escape[0]}"')
            pieces += (raw[position : escape.start()], sign)
            length += escape.start() - position
            self._read += (length, length + len(sign))
            self._written += (escape.start(), escape.end())
            length += len(sign)
            position = escape.end()
        self.text = "".join((*pieces, raw[position:]))

    def places(self, spans: Iterable[Span]) -> list[Place]:
        """Where in the raw text the spans lie, cut to the strings and numbers that they touch."""
        wanted = [(self._at(each.start), self._at(each.end), each.kind) for each in spans]
        if not wanted:
            return []
        found: list[Place] = []
        index = 0
        for token in _TOKEN.finditer(self._raw):
            quoted = token.start(1) >= 0
            start, end = token.span(1) if quoted else token.span()
            while index < len(wanted) and wanted[index][1] <= start:
                index += 1
            for lower, upper, kind in wanted[index:]:
                if lower >= end:
                    break
                if upper <= start:
                    continue
                if not quoted:
                    found.append(Place(start, end, kind, bare=True))
                    break
                found.append(Place(max(lower, start), min(upper, end), kind))
        return found

    def _at(self, position: int) -> int:
        index = bisect_right(self._read, position) - 1
        return self._written[index] + position - self._read[index]
