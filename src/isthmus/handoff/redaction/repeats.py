"""What was found once is hidden wherever it stands: without a label, in another case, in a tool's output."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence

import re2
from msgspec import Struct

from isthmus.handoff.redaction.rules import alone, compiled
from isthmus.handoff.redaction.spans import Span

_LEAST = 4
"""Shorter values are too common to be looked for elsewhere, but for names, as they are written."""
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
    """A function that finds every whole-word occurrence of some values: in any case, but for short names."""
    kinds = {
        each.value.casefold(): each.kind
        for each in reversed(known)
        if len(each.value) >= _LEAST and each.kind not in _SHAPED
    }
    short = {each.value for each in known if each.kind == "PERSON" and 2 <= len(each.value) < _LEAST}
    if not (kinds or short):
        return None
    longest_first = sorted({*kinds, *short}, key=len, reverse=True)
    pattern = compiled("|".join(map(re2.escape, longest_first)), any_case=True)

    def find(text: str) -> Iterable[Span]:
        for match in pattern.finditer(text):
            start, end = match.span()
            kind = "PERSON" if text[start:end] in short else kinds.get(text[start:end].casefold())
            if kind is not None and (end - start >= 16 or alone(text, start, end)):
                yield Span(start, end, kind, _RANK)

    return find


def without_parts(spans: Iterable[Span], again: Sequence[Span]) -> Iterable[Span]:
    """The spans without those that are a part of a value of their kind that was found again around them.

    Args:
        spans: What was found in a text.
        again: What was found in it again, in order.
    """
    starts = [each.start for each in again]
    for span in spans:
        place = bisect_right(starts, span.start)
        if not (place and _is_part(span, again[place - 1])):
            yield span


def _is_part(span: Span, of: Span) -> bool:
    within = span.kind == of.kind and span.end <= of.end
    return within and (span.start, span.end) != (of.start, of.end)
