"""Thresholds from a target: a share of calls, a share of the hosted model's quality, or a risk.

All take scores that rows got from models which never saw them, and give the score above which questions are
handed over.
"""

import math
from typing import Literal, TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from scipy.stats import beta

from isthmus.errors import UsageError

Floats: TypeAlias = NDArray[np.float64]
Truths: TypeAlias = NDArray[np.bool_]

EVERYTHING = 0.0
"""A threshold above which every score lies: all is handed over."""
NOTHING = 1.0


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


class Outlook(Struct, frozen=True):
    """What a threshold came to on rows that were not learnt from; None where there is nothing to tell."""

    threshold: float
    handed_over: float
    accuracy: float
    of_hosted: float | None
    kept_wrong: float | None
    reached: bool


def threshold_for(target: Target, score: Floats, local_right: Truths, hosted_right: Truths) -> float:
    """The threshold that a target asks for."""
    if target.kind == "cost_share":
        return cost_share_threshold(score, target.amount)
    if target.kind == "quality":
        return quality_threshold(score, local_right, hosted_right, target.amount)
    return risk_threshold(score, ~local_right, target.amount, target.confidence)


def outlook(
    target: Target, threshold: float, score: Floats, local_right: Truths, hosted_right: Truths
) -> Outlook:
    """What handing over above a threshold comes to."""
    away = score > threshold
    accuracy = float(np.where(away, hosted_right, local_right).mean())
    hosted = float(hosted_right.mean())
    kept_wrong = float((~local_right[~away]).mean()) if (~away).any() else None
    reached = {
        "cost_share": abs(float(away.mean()) - target.amount) <= 1 / len(score) + 1e-9,
        "quality": accuracy >= target.amount * hosted - 1e-9,
        "risk": kept_wrong is not None,
    }
    return Outlook(
        threshold,
        float(away.mean()),
        accuracy,
        accuracy / hosted if hosted else None,
        kept_wrong,
        reached[target.kind],
    )


def cost_share_threshold(score: Floats, share: float) -> float:
    """The score that this share of questions lies above."""
    return _between(np.sort(score), len(score) - round(share * len(score)))


def quality_threshold(score: Floats, local_right: Truths, hosted_right: Truths, quality: float) -> float:
    """The highest threshold, and so the fewest calls, that reaches this share of the hosted accuracy."""
    order = np.argsort(-score, kind="stable")
    gained = np.cumsum(hosted_right[order].astype(float) - local_right[order])
    right = local_right.sum() + np.concatenate([[0.0], gained])
    ordered = score[order]
    # A cut may not fall between equal scores: a threshold can't tell them apart.
    cuts = np.concatenate([[True], ordered[1:] < ordered[:-1], [True]])
    reached = np.flatnonzero(cuts & (right >= quality * hosted_right.sum() - 1e-9))
    return _between(np.sort(score), len(score) - int(reached[0])) if len(reached) else EVERYTHING


def risk_threshold(score: Floats, local_wrong: Truths, risk: float, confidence: float) -> float:
    """The highest threshold below which answers kept at home are wrong in at most ``risk`` of cases.

    Learn then Test with fixed-sequence testing (Angelopoulos et al. 2021, arXiv 2110.01052, section 2.2 and
    appendix): thresholds are tried from the most cautious on, each by an exact binomial bound (Clopper and
    Pearson 1934) at the full level, up to the first that fails, so that P(risk is exceeded) <= 1 - confidence
    for the one chosen. The sequence begins with a fifth of the rows, or as many as could pass at all
    (ln(1 - confidence) / ln(1 - risk)), and takes steps of a twentieth; counts set both, not the labels.
    """
    order = np.argsort(score, kind="stable")
    ordered, wrong = score[order], np.cumsum(local_wrong[order])
    least = max(math.ceil(math.log(1 - confidence) / math.log(1 - risk)), len(score) // 5)
    step = max(1, len(score) // 20)
    chosen = EVERYTHING
    for kept in [*range(least, len(score), step), len(score)]:
        if kept < least:
            continue
        if kept < len(score) and ordered[kept - 1] == ordered[kept]:
            continue
        if upper_bound(int(wrong[kept - 1]), kept, confidence) > risk:
            break
        chosen = _between(ordered, kept)
    return chosen


def upper_bound(wrong: int, of: int, confidence: float) -> float:
    """Clopper and Pearson's exact upper bound on a share, of which ``wrong`` in ``of`` were seen."""
    return 1.0 if wrong >= of else float(beta.ppf(confidence, wrong + 1, of - wrong))


def _between(ordered: Floats, kept: int) -> float:
    """A threshold that keeps the ``kept`` lowest scores: halfway to the next, where there is room between."""
    if kept <= 0:
        return EVERYTHING
    if kept >= len(ordered):
        return NOTHING
    least, most = float(ordered[kept - 1]), float(ordered[kept])
    halfway = (least + most) / 2
    return halfway if halfway < most else least
