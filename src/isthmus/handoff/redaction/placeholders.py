"""What stands for a hidden value: ``<EMAIL_1>``, the same for the same value, numbered as they first occur.

Numbers are given in the order of the conversation, so that a longer conversation begins with the same bytes
as a shorter one and the hosted side's prompt cache keeps its prefix. A number that the conversation itself
uses (somebody wrote ``EMAIL_1``) is not given out.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable

from msgspec import Struct


class Placeholder(Struct, frozen=True):
    """A token that was handed out, and what it stands for, as it was first written.

    ``bare``: it stands for a number in JSON without quotes; its token has quotes, which go when it does.
    """

    token: str
    original: str
    kind: str
    bare: bool = False

    @property
    def number(self) -> int:
        """Which one of its kind it is."""
        return int(self.token.strip("<>").rpartition("_")[2])


def token_of(kind: str, number: int) -> str:
    """How a placeholder is written."""
    return f"<{kind}_{number}>"


class Numbering:
    """Hands placeholders out.

    Args:
        taken: Numbers that are not to be used, as the conversation has them already, each with its kind.
        identity: Of a value and its kind, what two spellings of the same thing have in common.
    """

    def __init__(self, taken: Iterable[tuple[str, int]], identity: Callable[[str, str], str]) -> None:
        self._taken = frozenset(taken)
        self._identity = identity
        self._last: Counter[str] = Counter()
        self._given: dict[tuple[str, str, bool], Placeholder] = {}
        self.uses: Counter[str] = Counter()
        """How often something of a kind was replaced."""

    @property
    def placeholders(self) -> tuple[Placeholder, ...]:
        """All that were handed out, in their order."""
        return tuple(self._given.values())

    def replace(self, value: str, kind: str, *, bare: bool = False) -> str:
        """The token that stands for a value."""
        self.uses[kind] += 1
        key = (kind, self._identity(value, kind), bare)
        if (given := self._given.get(key)) is None:
            number = self._last[kind] + 1
            while (kind, number) in self._taken:
                number += 1
            self._last[kind] = number
            given = self._given[key] = Placeholder(token_of(kind, number), value, kind, bare)
        return given.token


def taken_numbers(texts: Iterable[str], kinds: Iterable[str]) -> set[tuple[str, int]]:
    """Every number that some texts use with a kind, in any form in which a placeholder is understood."""
    names = sorted(kinds, key=len, reverse=True)
    if not names:
        return set()
    pattern = re.compile(
        rf"({'|'.join(name.replace('_', r'[_ -]?') for name in names)})(?:\\?_|%5F|[ -])?(\d{{1,6}})",
        re.IGNORECASE,
    )
    return {
        (re.sub("[ -]", "_", match[1]).upper(), int(match[2]))
        for text in texts
        for match in pattern.finditer(text)
    }
