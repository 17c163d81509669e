"""What counts can prove: exact bounds of a rate, through an imperfect judge, over several looks and areas.

Everything takes and gives numbers, or arrays of them, and knows nothing of files or states. The bounds are
Clopper and Pearson's (Biometrika 26, 1934): they hold for every sample size, so that a small sample makes a
wide interval and never a lucky pass.
"""

from collections.abc import Callable, Sequence
from math import ceil, log, log1p
from typing import Any, Literal, TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray
from scipy import special

Array: TypeAlias = NDArray[np.float64]
Looks = Literal["one", "spending"]
"""How retries spend alpha: all of it at one look, or alpha / (k (k + 1)) at look k."""

_HALVINGS = 60


class Judged(Struct, frozen=True):
    """How a judge did on answers whose truth is known.

    Attributes:
        violations: Answers that are violations.
        caught: Those of them that it flagged.
        safe: Answers that aren't.
        false_alarms: Those of them that it flagged.
    """

    violations: int
    caught: int
    safe: int
    false_alarms: int


# ---------------------------------------------------------------- one rate


def upper(events: ArrayLike, n: ArrayLike, alpha: float) -> Array:
    """The one-sided upper bound of a rate: with a larger one, so few events have probability alpha or less.

    Args:
        events: How often it happened; any shape.
        n: Out of how many; broadcast with ``events``. Of nothing, nothing is known: the bound is 1.
        alpha: The chance of a bound below the truth, at most.
    """
    k, size = np.asarray(events, float), np.asarray(n, float)
    with np.errstate(invalid="ignore"):
        bound = special.betaincinv(k + 1, np.maximum(size - k, 1e-300), 1 - alpha)
    return np.where(k >= size, 1.0, bound)


def lower(events: ArrayLike, n: ArrayLike, alpha: float) -> Array:
    """The one-sided lower bound of a rate; see `upper`."""
    return 1 - upper(np.asarray(n, float) - np.asarray(events, float), n, alpha)


def judged_upper(events: ArrayLike, n: ArrayLike, alpha: float, judge: Judged | None) -> Array:
    """The upper bound of the rate of violations where a judge flags ``events`` of ``n``.

    A rate p is flagged at a rate of at least p times the sensitivity, so p is at most their ratio. Half of
    alpha goes to each of the two bounds, and no credit is taken for false alarms. Without a judge (the
    outcome is a fact, not an opinion) all of alpha goes to the one.
    """
    if judge is None:
        return upper(events, n, alpha)
    sensitivity = float(lower(judge.caught, judge.violations, alpha / 2))
    if sensitivity <= 0:
        return np.ones_like(np.asarray(events, float))
    return np.minimum(upper(events, n, alpha / 2) / sensitivity, 1.0)


def judged_lower(events: ArrayLike, n: ArrayLike, alpha: float, judge: Judged | None) -> Array:
    """The lower bound of the rate of violations where a judge flags ``events`` of ``n``.

    With a share f of false alarms, a rate p is flagged at a rate of at most p + f (1 - p).
    """
    if judge is None:
        return lower(events, n, alpha)
    alarms = float(upper(judge.false_alarms, judge.safe, alpha / 2))
    if alarms >= 1:
        return np.zeros_like(np.asarray(events, float))
    return np.maximum((lower(events, n, alpha / 2) - alarms) / (1 - alarms), 0.0)


# ---------------------------------------------------------------- two rates, the same prompts


def difference_upper(
    only_ours: ArrayLike, only_theirs: ArrayLike, n: ArrayLike, alpha: float, judge: Judged | None = None
) -> Array:
    """The upper bound of how much more often we violate than a baseline does, on the same prompts.

    Args:
        only_ours: Prompts on which we violate, and the baseline doesn't.
        only_theirs: The other way about.
        n: All prompts.
        alpha: The chance of a bound below the truth, at most.
        judge: Who judged both. A judge that misses some, and flags others for nothing, shrinks a difference
            by sensitivity + specificity - 1.
    """
    share = alpha if judge is None else alpha / 2
    bound = upper(only_ours, n, share / 2) - lower(only_theirs, n, share / 2)
    if judge is None:
        return bound
    caught = float(lower(judge.caught, judge.violations, alpha / 4))
    kept = caught - float(upper(judge.false_alarms, judge.safe, alpha / 4))
    if kept <= 0:
        return np.ones_like(bound)
    return np.where(bound > 0, np.minimum(bound / kept, 1.0), bound)


# ---------------------------------------------------------------- several claims, several looks


def p_value(bound: Callable[[float], float], threshold: float) -> float:
    """The smallest alpha at which a lower bound exceeds a threshold: how sure it is that the rate does."""
    if bound(1 - 1e-12) <= threshold:
        return 1.0
    low, high = 0.0, 1 - 1e-12
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if bound(middle) > threshold else (middle, high)
    return high


def holm(p_values: Sequence[float], alpha: float) -> list[bool]:
    """Which of several claims hold together, wrong in any of them with probability alpha at most.

    Holm's step-down procedure (Scandinavian Journal of Statistics 6, 1979).
    """
    held = [False] * len(p_values)
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if p_values[index] > alpha / (len(p_values) - rank):
            break
        held[index] = True
    return held


def alpha_at(look: int, alpha: float, looks: Looks) -> float:
    """What may be spent at a look, counted from 1: over all looks together, never more than ``alpha``."""
    if looks == "one":
        return alpha if look == 1 else 0.0
    return alpha / (look * (look + 1))


# ---------------------------------------------------------------- planning


def clean_n(threshold: float, alpha: float) -> int:
    """How many prompts, none of them violated, show a rate within a threshold."""
    return ceil(log(alpha) / log1p(-threshold) - 1e-9)


def most_events(n: int, threshold: float, alpha: float, judge: Judged | None = None) -> int:
    """The largest number of events among ``n`` with which an area still passes; -1 if none will do."""
    bounds = judged_upper(np.arange(n + 1), n, alpha, judge)
    return int(np.searchsorted(bounds, threshold, side="right")) - 1


def pass_probability(
    n: int, threshold: float, alpha: float, true_rate: ArrayLike, judge: Judged | None = None
) -> Array:
    """The chance that an area passes where violations are flagged at a true rate."""
    rate: Any = np.asarray(true_rate, float)
    most = most_events(n, threshold, alpha, judge)
    return np.where(most >= 0, special.bdtr(max(most, 0), n, rate), 0.0)
