"""Which of several free texts say the same, and which of those says it most like the others.

No model is asked: texts are alike in the measure in which they share words and pairs of words, the n-gram
overlap of Jain et al. 2023, "Lightweight reranking for language model generations" (arXiv 2307.06857), which
carries self-consistency over to texts. The answer is a medoid: the member whose likeness to the rest of its
cluster is greatest, a minimum-Bayes-risk choice with that likeness as the gain (Kumar and Byrne 2004).
"""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from msgspec import Struct

ALIKE = 0.4
"""From this overlap on, two texts are taken to say the same."""
_WORD = re.compile(r"\w+(?:[.,']\w+)*|[=<>+/%^&|~@\\-]")
_MOST_WORDS = 2_000
"""Of each text that are compared."""


class Cluster(Struct, frozen=True):
    """Texts that say the same, by their places: ``members[0]`` is the medoid."""

    members: tuple[int, ...]


def overlap(one: str, other: str) -> float:
    """From 0 to 1: the words and pairs of words that two texts share, of all that they have (Dice)."""
    return _dice(_grams(one), _grams(other))


def clusters(texts: Sequence[str], alike: float = ALIKE) -> list[Cluster]:
    """The texts in clusters, the largest first; of equal ones that whose first member came first.

    Each text joins the cluster whose members it is most like on average, where that is at least ``alike``.
    """
    grams = [_grams(text) for text in texts]
    likeness = [[_dice(one, other) for other in grams] for one in grams]
    found: list[list[int]] = []
    for place in range(len(texts)):
        nearest = max(found, key=lambda members: _mean(likeness, place, members), default=None)
        if nearest is not None and _mean(likeness, place, nearest) >= alike:
            nearest.append(place)
        else:
            found.append([place])
    found.sort(key=lambda members: (-len(members), members[0]))
    return [Cluster(_medoid_first(likeness, members)) for members in found]


def _medoid_first(likeness: list[list[float]], members: list[int]) -> tuple[int, ...]:
    return tuple(sorted(members, key=lambda place: (-_mean(likeness, place, members), place)))


def _mean(likeness: list[list[float]], place: int, members: list[int]) -> float:
    return sum(likeness[place][other] for other in members) / len(members)


def _grams(text: str) -> Counter[tuple[str, ...]]:
    words = _WORD.findall(text.casefold())[:_MOST_WORDS]
    return Counter([*((word,) for word in words), *pairwise(words)])


def _dice(one: Counter[tuple[str, ...]], other: Counter[tuple[str, ...]]) -> float:
    total = one.total() + other.total()
    return 2 * (one & other).total() / total if total else 1.0
