"""Accuracy and its paired differences, with their 95% intervals over questions."""

from itertools import pairwise
from math import comb

import numpy as np

DRAWS = 10_000


def summary(outcomes):
    """What a policy came to over its questions: accuracy, tokens and seconds each, samples, agreement."""
    found = list(outcomes.values())
    rights = np.array([each.right for each in found])
    seconds = float(np.mean([each.seconds for each in found]))
    counted = [each.samples for each in found if each.samples is not None]
    return {
        "questions": len(found),
        "accuracy": _round(rights.mean()),
        "accuracy_95": spread(rights),
        "tokens": round(float(np.mean([each.tokens for each in found])), 1),
        "seconds": round(seconds, 2) if seconds else None,
        "samples": round(float(np.mean(counted)), 2) if counted else None,
    }


def paired(one, other):
    """How much more often ``one`` is right than ``other``, on the questions that both have answered.

    The interval is the paired bootstrap's; ``p`` is of McNemar's exact test, two-sided, over the questions
    that only one of both gets, and None where outcomes are means.
    """
    rows = sorted(one.keys() & other.keys())
    first, second = (np.array([each[row].right for row in rows]) for each in (one, other))
    whole = set(first) | set(second) <= {0.0, 1.0}
    gained, lost = int((first > second).sum()), int((first < second).sum())
    spent, usual = (sum(each[row].tokens for row in rows) for each in (one, other))
    return {
        "questions": len(rows),
        "difference": _round((first - second).mean()),
        "difference_95": spread(first - second),
        "gained": gained,
        "lost": lost,
        "p": _round(mcnemar(gained, lost)) if whole else None,
        "tokens_ratio": round(spent / usual, 3) if usual else None,
    }


def mcnemar(gained, lost):
    """The two-sided p of so uneven a split, were either side as likely."""
    tosses, fewer = gained + lost, min(gained, lost)
    return min(1.0, 2 * sum(comb(tosses, each) for each in range(fewer + 1)) / 2**tosses)


def spread(values, seed=1):
    """The bootstrap's 95% interval of a mean; None where one value says nothing of the spread."""
    if len(values) < 2:
        return None
    places = np.random.default_rng(seed).integers(0, len(values), (DRAWS, len(values)))
    return [_round(each) for each in np.quantile(values[places].mean(axis=1), [0.025, 0.975])]


def calibration(outcomes, edges=(0.0, 0.4, 0.6, 0.8, 1.0)):
    """How often an answer is right, by the share of samples that agree with it."""
    found = [each for each in outcomes.values() if each.agreement is not None]
    bins = []
    for low, high in pairwise(edges):
        members = [each for each in found if low < each.agreement <= high]
        if members:
            share = sum(each.right for each in members) / len(members)
            bins.append({"agreement": [low, high], "questions": len(members), "accuracy": _round(share)})
    return bins


def _round(value):
    return round(float(value), 4)
