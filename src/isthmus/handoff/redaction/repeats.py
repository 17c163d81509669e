"""What was found once is hidden wherever it stands: without a label, in another case, in a tool's output."""

from collections.abc import Callable, Iterable, Sequence

import re2
from msgspec import Struct

from isthmus.handoff.redaction.rules import alone, compiled
from isthmus.handoff.redaction.spans import Span

_LEAST = 4
"""Shorter values are too common to be looked for elsewhere."""
_RANK = 58
_SHAPED = frozenset(
    {
        *("EMAIL", "IP_ADDRESS", "MAC_ADDRESS", "CARD", "IBAN", "WALLET", "LOGIN", "COORDINATES"),
        *("API_KEY", "AUTH_TOKEN", "PRIVATE_KEY"),
    }
)
"""Kinds whose shape gives them away wherever they stand."""


class Known(Struct, frozen=True):
    """A value that is private, and its kind."""

    value: str
    kind: str


def repeats(known: Sequence[Known]) -> Callable[[str], Iterable[Span]] | None:
    """A function that finds every whole-word occurrence of some values, in any case."""
    kinds = {
        each.value.casefold(): each.kind
        for each in reversed(known)
        if len(each.value) >= _LEAST and each.kind not in _SHAPED
    }
    if not kinds:
        return None
    longest_first = sorted(kinds, key=len, reverse=True)
    pattern = compiled("|".join(map(re2.escape, longest_first)), any_case=True)

    def find(text: str) -> Iterable[Span]:
        for match in pattern.finditer(text):
            start, end = match.span()
            kind = kinds.get(text[start:end].casefold())
            if kind is not None and (end - start >= 16 or alone(text, start, end)):
                yield Span(start, end, kind, _RANK)

    return find
