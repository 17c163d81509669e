"""Two subjects on the same problems, pair by pair."""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from msgspec import Struct

from isthmus.evals.figures import clusters_of
from isthmus.evals.plans import Cell
from isthmus.evals.results import Result, by_problem
from isthmus.evals.statistics import Interval, mcnemar, paired_bootstrap

_SIGNIFICANT = 0.05


class Comparison(Struct, frozen=True, kw_only=True):
    """Two subjects on the problems that both of them answered, pair by pair.

    ``difference`` is the first's accuracy less the second's, with its 95% interval (paired bootstrap over
    problems, or over clusters of them). ``p_value`` is McNemar's exact one, where each was asked once.
    """

    suite: str
    first: str
    second: str
    problems: int
    both: int
    only_first: int
    only_second: int
    neither: int
    difference: Interval
    p_value: float | None

    @property
    def verdict(self) -> str:
        """What may be said of it."""
        sure = self.difference.low > 0 or self.difference.high < 0
        if self.p_value is not None:
            sure = sure and self.p_value < _SIGNIFICANT
        if not sure:
            return "no difference shown"
        return f"{self.first if self.difference.value > 0 else self.second} is better"


def comparisons(cells: Sequence[Cell], found: Mapping[str, Sequence[Result]]) -> Iterator[Comparison]:
    """Every two subjects of one suite."""
    for first, second in combinations(cells, 2):
        if first.source == second.source:
            made = compare(
                first.source.name,
                (first.subject.label, found[first.slug]),
                (second.subject.label, found[second.slug]),
            )
            if made is not None:
                yield made


def compare(
    suite: str, first: tuple[str, Sequence[Result]], second: tuple[str, Sequence[Result]]
) -> Comparison | None:
    """Compare two on the problems that both answered; None where there are none.

    Args:
        suite: The suite's name.
        first: A label and results.
        second: The other's.
    """
    ours, theirs = by_problem(first[1]), by_problem(second[1])
    shared = [name for name in ours if name in theirs]
    if not shared:
        return None
    pairs = [(_rights(ours[name]), _rights(theirs[name])) for name in shared]
    once = all(len(a) == len(b) == 1 for a, b in pairs)
    tally = [(sum(a) * 2 > len(a), sum(b) * 2 > len(b)) for a, b in pairs]
    only_first, only_second = tally.count((True, False)), tally.count((False, True))
    clusters = clusters_of([ours[name][0] for name in shared])
    return Comparison(
        suite=suite,
        first=first[0],
        second=second[0],
        problems=len(shared),
        both=tally.count((True, True)),
        only_first=only_first,
        only_second=only_second,
        neither=tally.count((False, False)),
        difference=_difference(pairs, clusters),
        p_value=mcnemar(only_first, only_second) if once and len(set(clusters)) == len(clusters) else None,
    )


def _rights(results: Sequence[Result]) -> list[float]:
    return [float(each.outcome == "right") for each in results]


def _difference(pairs: Sequence[tuple[list[float], list[float]]], clusters: Sequence[str]) -> Interval:
    grouped: dict[str, tuple[list[float], list[float]]] = {}
    for (a, b), cluster in zip(pairs, clusters, strict=True):
        ours, theirs = grouped.setdefault(cluster, ([], []))
        ours.append(math.fsum(a) / len(a))
        theirs.append(math.fsum(b) / len(b))
    return paired_bootstrap([a for a, _ in grouped.values()], [b for _, b in grouped.values()])
