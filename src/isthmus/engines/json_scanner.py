"""Where a JSON value ends, told while its text comes."""

import re

_OUTSIDE = re.compile(r'["{}\[\]]')
_INSIDE = re.compile(r'"|\\(?:.|\Z)', re.DOTALL)
_AFTER_WORD = re.compile(r"[,}\]\s]")


class ValueScanner:
    """Follows one JSON value by its quotes and brackets; whether it is well formed is not its business.

    A number or a word ends before what can't belong to it.
    """

    def __init__(self) -> None:
        self._begun = False
        self._word = False
        self._depth = 0
        self._quoted = False
        self._escaped = False  # the last character so far was a backslash

    def feed(self, text: str) -> int | None:
        """Take more text; where in it the value ends, or None if it goes on."""
        place = 0
        if not self._begun:
            place = len(text) - len(text.lstrip())
            if place == len(text):
                return None
            self._begun, self._word = True, text[place] not in '"{['
        elif self._escaped and text:
            place, self._escaped = 1, False
        if self._word:
            after = _AFTER_WORD.search(text, place)
            return after.start() if after else None
        while found := (_INSIDE if self._quoted else _OUTSIDE).search(text, place):
            place = found.end()
            self._pass(found[0])
            if not self._depth and not self._quoted:
                return place
        return None

    def _pass(self, mark: str) -> None:
        match mark:
            case '"':
                self._quoted = not self._quoted
            case "{" | "[":
                self._depth += 1
            case "}" | "]":
                self._depth = max(self._depth - 1, 0)
            case "\\":
                self._escaped = True
            case _:
                pass
