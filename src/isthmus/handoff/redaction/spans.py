"""A stretch of text that is to be hidden, and which of several that overlap counts."""

from bisect import bisect_left
from collections.abc import Callable, Iterable
from typing import TypeAlias

from msgspec import Struct

GUESS = 80
"""Ranks from here on are of spans whose bounds are guessed."""


class Span(Struct, frozen=True, gc=False, order=True):
    """``text[start:end]`` is of a kind. Of spans that overlap the one with the lower ``rank`` counts."""

    start: int
    end: int
    kind: str
    rank: int = 50


Recogniser: TypeAlias = Callable[[str], Iterable[Span]]
"""Finds names of people (PERSON) and postal addresses (ADDRESS) in a text."""


def settled(spans: Iterable[Span]) -> list[Span]:
    """The spans in their order, without overlaps: the lower rank counts, then the longer, then the earlier.

    What a losing span covers beyond the winner stays covered: it is cut, not dropped. Of a guess, such as an
    address up to the end of its line, only its end stays.
    """
    won: list[Span] = []
    for span in sorted(spans, key=lambda each: (each.rank, each.start - each.end, each.start)):
        pieces = _outside(span, won)
        if span.rank >= GUESS:
            pieces = [piece for piece in pieces if piece.end == span.end]
        for piece in pieces:
            won.insert(bisect_left(won, piece), piece)
    return won


def _outside(span: Span, won: list[Span]) -> list[Span]:
    """What is left of a span beside those that have won already, which are in order."""
    pieces: list[Span] = []
    start = span.start
    index = max(0, bisect_left(won, span) - 1)
    for other in won[index:]:
        if other.start >= span.end:
            break
        if other.end <= start:
            continue
        if other.start > start:
            pieces.append(Span(start, other.start, span.kind, span.rank))
        start = max(start, other.end)
    if start < span.end:
        pieces.append(Span(start, span.end, span.kind, span.rank))
    return pieces
