"""When to draw no more samples: the leader of a vote can't be caught any more, or hardly.

With v₁ votes for the leader and v₂ for the runner-up, what is believed of their shares among those two is a
Beta distribution: Beta(v₁ + 1, v₂ + 1), the uniform prior's posterior. Two questions can be asked of it.

``posterior``: is the leader's share really the larger? That is P(p > ½), the criterion of Aggarwal, Madaan,
Yang and Mausam 2023, "Let's Sample Step by Step" (arXiv 2305.11860). It knows no end of the drawing.

``predictive``: will the leader still lead once all samples are drawn? Of the ``left`` further ones the
runner-up gets X, which is beta-binomial; the leader stays where v₂ + X ≤ v₁ + left - X. A draw for a third
answer only helps the leader, so none is reckoned with. It asks for less the fewer samples are left.

Both are exact for whole numbers of votes: the first is a binomial tail, the second a share of Pólya's urns.
"""

from math import comb
from typing import Literal, TypeAlias

Stopping: TypeAlias = Literal["predictive", "posterior", "certain", "never"]
"""Which question is asked; certain: the runner-up can't catch up even with all that are left; never: none."""

_LEAST_VOTES = 2
"""A single sample agrees with nobody."""


def posterior(first: int, second: int) -> float:
    """P(the leader's share is above ½), given the votes of the first two: 1 - I(½; first + 1, second + 1)."""
    tosses = first + second + 1
    return sum(comb(tosses, heads) for heads in range(first + 1)) / 2**tosses


def predictive(first: int, second: int, left: int) -> float:
    """P(the runner-up doesn't overtake the leader with ``left`` further samples)."""
    ways = sum(
        comb(second + caught, caught) * comb(first + left - caught, left - caught)
        for caught in range(left + 1)
        if second + caught <= first + left - caught
    )
    return ways / comb(first + second + left + 1, left)


def settled(rule: Stopping, confidence: float, first: int, second: int, left: int) -> bool:
    """Whether further samples aren't worth their tokens.

    Args:
        rule: Which question is asked.
        confidence: How sure the answer must be.
        first: The leader's votes.
        second: The runner-up's.
        left: How many samples might still be drawn.
    """
    if first < _LEAST_VOTES or first < second:
        return False
    match rule:
        case "never":
            return False
        case "certain":
            return first > second + left
        case "posterior":
            return posterior(first, second) >= confidence
        case "predictive":
            return predictive(first, second, left) >= confidence


def missing(rule: Stopping, confidence: float, first: int, second: int, left: int) -> int:
    """How many further samples it takes at the least to settle a vote: they all agree with its leader.

    As many may be drawn at once without a loss: no fewer would have been enough. Arguments as `settled`'s;
    all that are left, where not even they would settle it.
    """
    enough = (more for more in range(left) if settled(rule, confidence, first + more, second, left - more))
    return next(enough, left)
