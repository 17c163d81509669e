"""What was found in texts, remembered: a conversation is read anew with each of its turns."""

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

_CHARACTERS = 4_000_000

T = TypeVar("T")


class Findings(Generic[T]):
    """What was found in the texts that were asked for last; any thread may use it.

    Args:
        characters: Of all texts together; the one that was asked for longest ago gives way.
    """

    def __init__(self, characters: int = _CHARACTERS) -> None:
        self._most = characters
        self._found: OrderedDict[str, T] = OrderedDict()
        self._characters = 0
        self._lock = threading.Lock()

    def get(self, text: str) -> T | None:
        """What was found in a text; None where it isn't known."""
        with self._lock:
            if (found := self._found.get(text)) is not None:
                self._found.move_to_end(text)
            return found

    def put(self, text: str, found: T) -> None:
        """Remember what was found."""
        with self._lock:
            self._characters += 0 if text in self._found else len(text)
            self._found[text] = found
            while self._characters > self._most:
                forgotten, _ = self._found.popitem(last=False)
                self._characters -= len(forgotten)
