"""Thresholds from a target: a share of calls, a share of the hosted model's quality, or a risk.

All are chosen by what is decided (`isthmus.handoff.estimator.deciding`) on rows that got their scores from
models which never saw them.
"""

import math
from collections.abc import Iterator
from typing import Literal, NamedTuple, Protocol

import numpy as np
from msgspec import Struct
from scipy.stats import beta

from isthmus.errors import UsageError
from isthmus.handoff.estimator.fitting import Floats, Truths

EVERYTHING = 0.0
"""A threshold above which every score lies: all is handed over."""


class Target(Struct, frozen=True):
    """What the person wants of a hand-off: one of three kinds, and how much of it.

    ``cost_share``: hand over this share of questions. ``quality``: reach this share of the hosted model's
    accuracy with as few calls as will do. ``risk``: among answers kept at home, at most this share wrong,
    with the confidence given.
    """

    kind: Literal["cost_share", "quality", "risk"] = "cost_share"
    amount: float = 0.3
    confidence: float = 0.9

    def __post_init__(self) -> None:
        for name, value in (("target", self.amount), ("confidence", self.confidence)):
            if not 0 < value < 1:
                raise UsageError(
                    f"a {name} of {value} is not between 0 and 1", hint="--risk 0.1 --confidence 0.9"
                )

    def __str__(self) -> str:
        words = {"cost_share": "share of calls", "quality": "share of the hosted quality", "risk": "risk"}
        sure = f" at confidence {self.confidence:g}" if self.kind == "risk" else ""
        return f"{words[self.kind]} {self.amount:g}{sure}"


class Decides(Protocol):
    """What is compared with a threshold, which may depend on it."""

    def scores(self, threshold: float) -> Floats:
        """Of each row; NaN where nobody knows."""
        ...

    def candidates(self) -> Floats:
        """Thresholds worth a try, from the most cautious to the boldest."""
        ...


class Labels(NamedTuple):
    """Which model is right, of each row."""

    local: Truths
    hosted: Truths


class Outlook(Struct, frozen=True):
    """What a threshold came to on rows that were not learnt from; None where there is nothing to tell."""

    threshold: float
    handed_over: float
    accuracy: float
    of_hosted: float | None
    kept_wrong: float | None
    reached: bool


class _Tried(NamedTuple):
    """What a threshold comes to: of the rows that can tell, how many leave, are right, are kept wrongly."""

    threshold: float
    told: int
    away: int
    right: int
    hosted_right: int
    kept_wrong: int

    @property
    def kept(self) -> int:
        return self.told - self.away


def threshold_for(target: Target, decides: Decides, labels: Labels) -> float:
    """The threshold that a target asks for."""
    tried = [_try(decides, float(each), labels) for each in decides.candidates()]
    if target.kind == "cost_share":
        return min(tried, key=lambda each: abs(each.away - target.amount * each.told)).threshold
    if target.kind == "quality":
        reached = [each.threshold for each in tried if _has_quality(each, target.amount)]
        return max(reached, default=EVERYTHING)
    return _risk_threshold(tried, target.amount, target.confidence)


def outlook(target: Target, threshold: float, decides: Decides, labels: Labels) -> Outlook:
    """What handing over above a threshold comes to."""
    found = _try(decides, threshold, labels)
    told = max(1, found.told)
    share, accuracy, hosted = found.away / told, found.right / told, found.hosted_right / told
    reached = {
        "cost_share": abs(share - target.amount) <= 1 / told + 1e-9,
        "quality": _has_quality(found, target.amount),
        "risk": found.kept > 0,
    }
    return Outlook(
        threshold,
        share,
        accuracy,
        accuracy / hosted if hosted else None,
        found.kept_wrong / found.kept if found.kept else None,
        reached[target.kind],
    )


def _try(decides: Decides, threshold: float, labels: Labels) -> _Tried:
    scores = decides.scores(threshold)
    told = ~np.isnan(scores)
    away, kept = told & (scores > threshold), scores <= threshold
    return _Tried(
        threshold,
        int(told.sum()),
        int(away.sum()),
        int((labels.hosted & away).sum() + (labels.local & kept).sum()),
        int((labels.hosted & told).sum()),
        int((kept & ~labels.local).sum()),
    )


def _has_quality(tried: _Tried, quality: float) -> bool:
    return tried.right >= quality * tried.hosted_right - 1e-9


def _risk_threshold(tried: list[_Tried], risk: float, confidence: float) -> float:
    """The highest threshold below which answers kept at home are wrong in at most ``risk`` of cases.

    Learn then Test with fixed-sequence testing (Angelopoulos et al. 2021, arXiv 2110.01052, section 2.2 and
    appendix): thresholds are tried from the most cautious on, each by an exact binomial bound (Clopper and
    Pearson 1934) at the full level, up to the first that fails, so that P(risk is exceeded) <= 1 - confidence
    for the one chosen. It asks nothing of how the risk changes between them, so it holds for decisions that
    take a second opinion, too. The sequence begins with a fifth of the rows, or as many as could pass at all
    (ln(1 - confidence) / ln(1 - risk)), and takes steps of a twentieth; counts set both, not the labels.
    """
    rows = max(each.told for each in tried)
    least = max(math.ceil(math.log(1 - confidence) / math.log(1 - risk)), rows // 5)
    chosen = EVERYTHING
    for each in _sequence(tried, least, max(1, rows // 20)):
        if upper_bound(each.kept_wrong, each.kept, confidence) > risk:
            break
        chosen = each.threshold
    return chosen


def _sequence(tried: list[_Tried], least: int, step: int) -> Iterator[_Tried]:
    """Those to test: from the first that keeps enough on, each with a step more, and the boldest."""
    wanted = least
    for each in tried[:-1]:
        if each.kept >= wanted:
            wanted = each.kept + step
            yield each
    if tried[-1].kept >= least:
        yield tried[-1]


def upper_bound(wrong: int, of: int, confidence: float) -> float:
    """Clopper and Pearson's exact upper bound on a share, of which ``wrong`` in ``of`` were seen."""
    return 1.0 if wrong >= of else float(beta.ppf(confidence, wrong + 1, of - wrong))
