"""The statistics of a benchmark: intervals, paired tests, pass@k, and how many problems a claim needs.

Every figure comes with an interval; a comparison is made on the same problems, pair by pair. Exact where that
is possible (Clopper-Pearson, McNemar); a bootstrap over whole clusters where trials aren't independent:
several attempts at a problem, several problems of a subject.
"""

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RESAMPLES = 4000
_HALVINGS = 60
"""Of a probability's range: to well below what a float can tell."""


class Interval(Struct, frozen=True):
    """A figure, and where it may lie."""

    value: float
    low: float
    high: float


# ---------------------------------------------------------------- one figure


def binomial_tail(k: int, n: int, p: float) -> float:
    """P(X >= k) of X ~ Binomial(n, p)."""
    if k <= 0:
        return 1.0
    if p <= 0 or k > n:
        return 0.0
    if p >= 1:
        return 1.0
    counts = np.arange(k, n + 1)
    logs = _log_choose(n, counts) + counts * math.log(p) + (n - counts) * math.log1p(-p)
    return min(1.0, float(np.exp(logs).sum()))


def clopper_pearson(k: int, n: int, confidence: float = 0.95) -> Interval:
    """The exact interval of a share: k of n, independent of each other.

    Clopper and Pearson (1934), "The use of confidence or fiducial limits illustrated in the case of the
    binomial": the shares that an exact test on either side wouldn't reject.
    """
    if n == 0:
        return Interval(math.nan, 0.0, 1.0)
    side = (1 - confidence) / 2
    low = 0.0 if k == 0 else _bisect(lambda p: binomial_tail(k, n, p) < side)
    high = 1.0 if k == n else _bisect(lambda p: 1 - binomial_tail(k + 1, n, p) > side)
    return Interval(k / n, low, high)


def cluster_bootstrap(
    clusters: Sequence[Sequence[float]], confidence: float = 0.95, *, seed: int = 0
) -> Interval:
    """The interval of the mean of values that belong together in clusters: whole clusters are drawn again.

    Percentiles of the bootstrap (Efron and Tibshirani 1993, chapter 13). Values lie from 0 to 1. Where all of
    them are 0, or all 1, drawing again shows no spread, which isn't to say that there is none: then the
    interval is the exact one of as many trials as there are clusters.
    """
    kept = [each for each in clusters if each]
    if not kept:
        return Interval(math.nan, 0.0, 1.0)
    sums = np.array([math.fsum(each) for each in kept])
    sizes = np.array([len(each) for each in kept], dtype=np.float64)
    mean = float(sums.sum() / sizes.sum())
    if mean in (0.0, 1.0):
        return clopper_pearson(round(mean * len(kept)), len(kept), confidence)
    drawn = _draws(len(kept), seed)
    means = (drawn @ sums) / (drawn @ sizes)
    return Interval(mean, *_percentiles(means, confidence))


# ---------------------------------------------------------------- two figures on the same problems


def mcnemar(only_first: int, only_second: int) -> float:
    """The p-value of a difference between two that answered the same problems, exact and two-sided.

    McNemar (1947) on the problems that only one of them got right: under no difference either is as likely.
    """
    n, k = only_first + only_second, max(only_first, only_second)
    return 1.0 if n == 0 else min(1.0, 2 * binomial_tail(k, n, 0.5))


def paired_bootstrap(
    first: Sequence[Sequence[float]],
    second: Sequence[Sequence[float]],
    confidence: float = 0.95,
    *,
    seed: int = 0,
) -> Interval:
    """The interval of the difference of two means (first less second) on the same clusters of problems.

    Args:
        first: The first one's values, cluster by cluster, from 0 to 1.
        second: The second one's, for the same clusters; there may be another number of attempts.
        confidence: How sure.
        seed: Of the draws.
    """
    ours, theirs = ([(math.fsum(each), len(each)) for each in side] for side in (first, second))
    if not ours:
        return Interval(math.nan, -1.0, 1.0)
    a, b = np.array(ours, dtype=np.float64), np.array(theirs, dtype=np.float64)
    difference = float(a[:, 0].sum() / a[:, 1].sum() - b[:, 0].sum() / b[:, 1].sum())
    drawn = _draws(len(ours), seed)
    differences = drawn @ a[:, 0] / (drawn @ a[:, 1]) - drawn @ b[:, 0] / (drawn @ b[:, 1])
    return Interval(difference, *_percentiles(differences, confidence))


# ---------------------------------------------------------------- several attempts


def pass_at_k(right: int, attempts: int, k: int) -> float:
    """The chance that at least one of k attempts is right, without bias: 1 - C(n-c, k) / C(n, k).

    Chen et al. (2021), "Evaluating large language models trained on code" (arXiv:2107.03374), section 2.1.
    """
    _check_attempts(right, attempts, k)
    return 1.0 - math.comb(attempts - right, k) / math.comb(attempts, k)


def pass_hat_k(right: int, attempts: int, k: int) -> float:
    """The chance that all of k attempts are right, without bias: C(c, k) / C(n, k).

    Yao et al. (2024), "tau-bench" (arXiv:2406.12045), section 3: pass^k, reliability rather than luck.
    """
    _check_attempts(right, attempts, k)
    return math.comb(right, k) / math.comb(attempts, k)


# ---------------------------------------------------------------- how many problems


def problems_for_margin(share: float, margin: float, confidence: float = 0.95) -> int:
    """How many problems put the exact interval of a share within ``margin`` on its wider side."""
    if not (0 <= share <= 1 and 0 < margin < 1):
        raise ValueError("a share lies from 0 to 1, a margin between")

    def within(n: int) -> bool:
        found = clopper_pearson(round(share * n), n, confidence)
        return max(found.high - found.value, found.value - found.low) <= margin

    return _first(within)


def problems_for_difference(
    only_first: float, only_second: float, *, power: float = 0.8, significance: float = 0.05
) -> int:
    """How many problems show a difference between two that answer the same ones.

    Connor (1987), "Sample size for testing differences in proportions for the paired-sample design",
    Biometrics 43, 207-211, equation 3.

    Args:
        only_first: The share of problems that only the first gets right.
        only_second: The share that only the second does.
        power: The chance to see the difference if it is there.
        significance: The chance to see one if there is none.
    """
    differing, difference = only_first + only_second, abs(only_first - only_second)
    if not (difference > 0 and 0 < differing <= 1):
        raise ValueError("the two shares must differ, and add up to 1 at most")
    a, b = NormalDist().inv_cdf(1 - significance / 2), NormalDist().inv_cdf(power)
    root = a * math.sqrt(differing) + b * math.sqrt(differing - difference**2)
    return math.ceil((root / difference) ** 2)


# ---------------------------------------------------------------- means


def _log_choose(n: int, counts: NDArray[np.int64]) -> Floats:
    factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    return factorials[n] - factorials[counts] - factorials[n - counts]


def _bisect(below: Callable[[float], bool]) -> float:
    """The probability up to which something holds."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return (low + high) / 2


def _draws(clusters: int, seed: int) -> Floats:
    """How often each cluster is drawn, for each resample; shape (RESAMPLES, clusters)."""
    even = np.full(clusters, 1 / clusters)
    return np.random.default_rng(seed).multinomial(clusters, even, size=RESAMPLES).astype(np.float64)


def _percentiles(values: Floats, confidence: float) -> tuple[float, float]:
    side = (1 - confidence) / 2
    low, high = np.quantile(values, [side, 1 - side])
    return float(low), float(high)


def _check_attempts(right: int, attempts: int, k: int) -> None:
    if not 0 <= right <= attempts or not 1 <= k <= attempts:
        raise ValueError(f"of {attempts} attempts {right} can't be right, or {k} be looked at")


def _first(holds: Callable[[int], bool]) -> int:
    """The smallest number for which something holds that, once it does, goes on to hold nearly always."""
    high = 1
    while not holds(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
