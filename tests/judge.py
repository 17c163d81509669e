"""A judge on whom tests can rely: numbers make a question hard, surprise makes an answer doubtful."""

import math
import re

from isthmus.handoff.judging import Estimate


class Judge:
    top_logprobs = 0

    def before(self, text):
        numbers = len(re.findall(r"\d+", text))
        return _estimate(-2.0 + numbers, {"numbers": numbers})

    def watch(self, before, answer):
        return self._read(before, answer, 1.0)

    def after(self, before, answer):
        return self._read(before, answer, 3.0)

    promises = False

    def threshold(self, depth, *, opinions=True):
        return 0.5

    def compares(self, answer):
        return bool(answer.text)

    def can_change(self, before, threshold, tokens):
        """Whether the logit is less than one away: a beginning moves it by one at most."""
        return abs(_logit(before.score) - _logit(threshold)) < 1.0

    def _read(self, before, answer, reach):
        if not answer.logprobs:
            return before
        surprise = -math.fsum(answer.logprobs) / len(answer.logprobs)
        moved = reach if surprise > 0.4 else -reach
        return _estimate(_logit(before.score) + moved, {"surprise": moved, **before.terms})


def _estimate(logit, terms):
    score = 1 / (1 + math.exp(-logit))
    return Estimate(score, None, score, terms)


def _logit(share):
    share = min(max(share, 1e-9), 1 - 1e-9)
    return math.log(share / (1 - share))
