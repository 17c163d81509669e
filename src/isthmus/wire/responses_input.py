"""The text inside a custom tool's arguments, while they are being written.

A model calls a custom tool as the function that stands for it: ``{"input": "..."}``. Its text is read out
of that JSON as it comes, since a patch may take minutes to write, and its reader shouldn't wait in silence.
"""

import json
import re

from isthmus.wire.responses_tools import INPUT

_OPENING = re.compile(rf'\s*\{{\s*"{INPUT}"\s*:\s*"')
_LETTERS = re.compile(
    r"""(?: [^"\\]
          | \\["\\/bfnrt]
          | \\u(?!d[89a-f])[0-9a-f]{4}
          | \\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}
        )*""",
    re.VERBOSE | re.IGNORECASE,
)
"""What of a JSON string can be read by itself: no escape is cut in two, nor a pair of surrogates."""


class InputReader:
    """Reads the text out of arguments that come in any pieces."""

    def __init__(self) -> None:
        self._rest = ""
        self._opened = False

    @property
    def opened(self) -> bool:
        """Whether the arguments began as they should, so that what was read is the input."""
        return self._opened

    def feed(self, piece: str) -> str:
        """Take more of the arguments; return what more of the text they hold."""
        self._rest += piece
        if not self._opened:
            opening = _OPENING.match(self._rest)
            if opening is None:
                return ""
            self._opened, self._rest = True, self._rest[opening.end() :]
        letters = _LETTERS.match(self._rest)
        if letters is None or not letters.end():
            return ""  # at the closing quote, or within an escape
        self._rest = self._rest[letters.end() :]
        # Models write line breaks where JSON wants \n: leniently read, they are what was meant.
        return json.loads(f'"{letters[0]}"', strict=False)
