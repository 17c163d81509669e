"""What the local model's own token log-probabilities say: how sure it was, where, and how often not."""

import math
from collections.abc import Sequence

from isthmus.handoff.judging import LocalAnswer

MOST_SURPRISE = 20.0
"""Surprise beyond which a token says no more."""

FULL_WEIGHT = 100
"""Tokens from which a beginning counts in full; fewer count in proportion, as they say less."""


def token_features(answer: LocalAnswer) -> dict[str, float]:
    """Of a whole answer; empty where no log-probabilities came.

    Log-probabilities are natural; "surprise" is their negative. Quantiles, tails and runs are looked at
    beside the mean because a single wrong turn spoils a chain of sums, however sure the rest was.
    """
    surprise = [min(-each, MOST_SURPRISE) for each in answer.logprobs]
    if not surprise:
        return {}
    ordered = sorted(surprise)
    count = len(ordered)
    mean = math.fsum(ordered) / count
    tail = surprise[-max(8, count // 5) :]
    return {
        "surprise": mean,
        "surprise most": min(ordered[-1], 6.0),
        "surprise q99": _quantile(ordered, 0.99),
        "surprise q95": _quantile(ordered, 0.95),
        "surprise q90": _quantile(ordered, 0.9),
        "surprise q80": _quantile(ordered, 0.8),
        "surprise spread": math.sqrt(math.fsum((each - mean) ** 2 for each in ordered) / count),
        "unsure tokens": sum(each > 0.7 for each in ordered) / count,
        "unsure count": math.log1p(sum(each > 0.7 for each in ordered)),
        "surprise total": math.log1p(math.fsum(ordered)),
        "surprise at the end": math.fsum(tail) / len(tail),
        "surprise late": _late(surprise),
        "tokens": math.log(count),
        **_entropy_features(answer.entropies),
    }


def beginning_features(answer: LocalAnswer) -> dict[str, float]:
    """Of an answer's first tokens; each counts in proportion to how many there are."""
    surprise = [min(-each, MOST_SURPRISE) for each in answer.logprobs]
    if not surprise:
        return {}
    weight = beginning_weight(len(surprise))
    entropies = [min(each, 3.0) for each in answer.entropies]
    found = {
        "first surprise": min(math.fsum(surprise) / len(surprise), 3.0),
        "first surprise most": min(max(surprise), 6.0),
        "first unsure tokens": sum(each > 0.7 for each in surprise) / len(surprise),
    }
    if entropies:
        found["first entropy"] = math.fsum(entropies) / len(entropies)
    return {name: weight * value for name, value in found.items()}


def beginning_weight(tokens: int) -> float:
    """How much so many first tokens count."""
    return min(1.0, tokens / FULL_WEIGHT)


def _entropy_features(entropies: Sequence[float]) -> dict[str, float]:
    if not entropies:
        return {}
    ordered = sorted(entropies)
    return {
        "entropy": math.fsum(ordered) / len(ordered),
        "entropy most": ordered[-1],
        "entropy q90": _quantile(ordered, 0.9),
        "open choices": math.log1p(sum(each > 1.0 for each in ordered)),
    }


def _late(surprise: list[float]) -> float:
    """The second half's mean surprise less the first half's: whether it lost its way."""
    half = len(surprise) // 2
    if not half:
        return 0.0
    return math.fsum(surprise[half:]) / (len(surprise) - half) - math.fsum(surprise[:half]) / half


def _quantile(ordered: list[float], part: float) -> float:
    """By linear interpolation, as NumPy's default."""
    place = part * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])
