"""Which bytes of a file are there, where they come in stretches and in no order."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Stretch(NamedTuple):
    """The bytes from ``start`` up to, and without, ``end``."""

    start: int
    end: int


class Stretches:
    """A set of byte positions, kept as few disjoint stretches in their order."""

    def __init__(self, stretches: Iterable[tuple[int, int]] = ()) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in stretches:
            self.add(start, end)

    def __iter__(self) -> Iterator[Stretch]:
        return map(Stretch, self._starts, self._ends)

    def __bool__(self) -> bool:
        return bool(self._starts)

    @property
    def total(self) -> int:
        """How many bytes they are."""
        return sum(self._ends) - sum(self._starts)

    def add(self, start: int, end: int) -> None:
        """Put in the bytes from ``start`` up to ``end``."""
        if start < end:
            first, last = self._touching(start, end)
            if first < last:
                start, end = min(start, self._starts[first]), max(end, self._ends[last - 1])
            self._starts[first:last], self._ends[first:last] = [start], [end]

    def remove(self, start: int, end: int) -> None:
        """Take out the bytes from ``start`` up to ``end``."""
        if start < end:
            first, last = self._touching(start, end)
            cut = list(zip(self._starts[first:last], self._ends[first:last], strict=True))
            kept = [(a, b) for c, d in cut for a, b in ((c, min(d, start)), (max(c, end), d)) if a < b]
            self._starts[first:last] = [a for a, _ in kept]
            self._ends[first:last] = [b for _, b in kept]

    def holds(self, start: int, end: int) -> bool:
        """Whether all the bytes from ``start`` up to ``end`` are in it."""
        return not any(self.gaps(start, end))

    def gaps(self, start: int, end: int) -> Iterator[Stretch]:
        """What isn't in it of the bytes from ``start`` up to ``end``."""
        for held in self:
            if start < min(held.start, end):
                yield Stretch(start, min(held.start, end))
            start = max(start, held.end)
        if start < end:
            yield Stretch(start, end)

    def _touching(self, start: int, end: int) -> tuple[int, int]:
        """The slice of the stretches that overlap or adjoin those bytes."""
        return bisect_left(self._ends, start), bisect_right(self._starts, end)
