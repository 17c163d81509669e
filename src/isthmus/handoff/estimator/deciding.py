"""The policy's own decisions at any threshold, told by scores that rows got from models which never saw them.

What is compared with the threshold depends on it: first tokens are waited for where they may carry the score
across, further answers are drawn where a whole one lies near it. So a promise that is to hold for what is
decided has to be tested on what is decided, not on one stage's scores.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from isthmus.handoff.estimator.fitting import Floats, Truths
from isthmus.handoff.estimator.profile import Profile
from isthmus.handoff.estimator.rows import Row
from isthmus.handoff.estimator.training import HELD_TOKENS, Learnt
from isthmus.handoff.judging import DOUBT, Depth, LocalAnswer

MOST_CANDIDATES = 2000
_NO_ANSWER = LocalAnswer("", (), whole=True)


class Seen(NamedTuple):
    """Scores of rows, an array each; NaN where a row doesn't hold what a stage reads.

    ``least`` and ``most`` are between which the first tokens usually leave the question's score. ``short``:
    the answer ends within these. ``doubtable``: further answers to the question would be drawn in doubt.
    """

    estimate: Floats
    least: Floats
    most: Floats
    watch: Floats
    check: Floats
    voted: Floats
    short: Truths
    doubtable: Truths


class Decider:
    """What is compared with a threshold, for questions of which so much may be known.

    Args:
        seen: The rows' scores.
        depth: How much is known.
        opinions: Whether further answers are drawn in doubt.
    """

    def __init__(self, seen: Seen, depth: Depth, *, opinions: bool = True) -> None:
        self._seen = seen
        self._depth = depth
        self._opinions = opinions

    def scores(self, threshold: float) -> Floats:
        """Of each row; NaN where it doesn't hold what would be read, such as the second opinions."""
        seen = self._seen
        if self._depth == "estimate":
            return seen.estimate
        if self._depth == "check":
            return self._checked(threshold)
        held = (seen.least <= threshold) & (threshold < seen.most)
        read = np.where(seen.short, self._checked(threshold), seen.watch)
        known = np.where(held, read, seen.estimate)
        return np.where(np.isnan(seen.watch), np.nan, known)

    def candidates(self) -> Floats:
        """Thresholds worth a try, from the least: one between each two scores that occur, and either end."""
        seen = self._seen
        stages = {
            "estimate": (seen.estimate,),
            "watch": (seen.estimate, seen.watch),
            "check": (seen.check, seen.voted) if self._opinions else (seen.check,),
        }
        found = np.unique(np.concatenate(stages[self._depth]))
        found = found[~np.isnan(found)]
        between = found[:-1] / 2 + found[1:] / 2
        between = np.where(between < found[1:], between, found[:-1])
        if len(between) > MOST_CANDIDATES:
            between = between[np.linspace(0, len(between) - 1, MOST_CANDIDATES).round().astype(int)]
        return np.concatenate([[0.0], between, [1.0]])

    def _checked(self, threshold: float) -> Floats:
        seen = self._seen
        if not self._opinions:
            return seen.check
        doubt = seen.doubtable & (np.abs(seen.check - threshold) <= DOUBT)
        return np.where(doubt, seen.voted, seen.check)


def seen_by(profile: Profile, learnt: Learnt, rows: Sequence[Row]) -> Seen:
    """What each stage says of rows that its models never saw.

    Args:
        profile: What was learnt, ranking as it will.
        learnt: The scores out of fold.
        rows: The rows, in the same order.
    """
    ranking, count = profile.data.ranks_by, len(rows)
    stages = {depth: scores.spread(ranking, count) for depth, scores in learnt.scores.items()}
    nothing = np.full(count, np.nan)
    answers = [row.answer or _NO_ANSWER for row in rows]
    reaches = [profile.reach(each, HELD_TOKENS) for each in learnt.questions]
    return Seen(
        estimate=stages["estimate"],
        least=np.array([least for least, _ in reaches]),
        most=np.array([most for _, most in reaches]),
        watch=stages.get("watch", nothing),
        check=stages.get("check", nothing),
        voted=nothing if learnt.voted is None else learnt.voted.spread(ranking, count),
        short=np.array([0 < len(each.logprobs) <= HELD_TOKENS for each in answers]),
        doubtable=np.array([profile.compares(each) for each in answers]),
    )
