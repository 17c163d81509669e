"""A sample: one of the answers that the model was asked for, and what it votes for."""

import math
from collections.abc import Sequence

from msgspec import Struct

from isthmus.messages import FinishReason
from isthmus.reasoning.kinds import Kind
from isthmus.scoring import comes_to, final_answer, letter_of
from isthmus.scoring.sums import equations

_WRONG_SUM = 0.5
"""What a wrong sum leaves of a sample's weight."""
_MOST_WRONG = 3
_LEAST_LOGPROB = -20.0


class Sample(Struct, frozen=True):
    """One answer of several to the same question.

    Attributes:
        text: What was written, working and all.
        tokens: How many tokens that took.
        mean_logprob: The mean natural log-probability of its tokens, where it is known.
        finish: Why it ended; None where it was cut off because the vote was settled.
    """

    text: str
    tokens: int
    mean_logprob: float | None = None
    finish: FinishReason | None = "stop"

    @property
    def whole(self) -> bool:
        """Whether it came to its own end, and to anything at all."""
        return self.finish == "stop" and bool(self.text.strip())


class Ballot(Struct, frozen=True):
    """What a sample votes for; ``value`` None abstains. ``weight`` comes on top of the tokens' own.

    ``proof`` says that it was put to the test and passed: no number of others could say more.
    """

    value: str | None
    weight: float = 1.0
    proof: bool = False


ABSTAINS = Ballot(None)


def ballot_of(sample: Sample, kind: Kind, *, sums: bool = True) -> Ballot:
    """What a sample's text says.

    A sample that was cut at its limit of tokens counts only where it had set its answer apart by then.

    Args:
        sample: The sample.
        kind: What the question wants. A program's worth is not seen by its text: it abstains here.
        sums: Whether the sums in it are done again, and each wrong one halves its weight.
    """
    if sample.finish is None or kind == "code":
        return ABSTAINS
    final = final_answer(sample.text)
    if sample.finish != "stop" and not (final is not None and final.marked):
        return ABSTAINS
    value = letter_of(sample.text) if kind == "choice" else comes_to(sample.text)
    if kind == "text" and not (final is not None and final.marked):
        return ABSTAINS  # the last number of a prose text is not what it says
    wrong = min(wrong_sums(sample.text), _MOST_WRONG) if sums and value is not None else 0
    return Ballot(value, _WRONG_SUM**wrong)


def wrong_sums(text: str) -> int:
    """How many of the sums that a text states don't hold."""
    return sum(not each.holds for each in equations(text))


def shares(samples: Sequence[Sample]) -> list[float]:
    """How much each sample's tokens make it count: a softmax of their mean log-probabilities, of mean 1.

    The mean, because the probability of a whole text is mostly its length (Wang et al. 2022, arXiv
    2203.11171, section 3.1, which found it hardly better than counting); the softmax after Taubenfeld et al.
    2025, "Confidence Improves Self-Consistency in LLMs" (arXiv 2502.06233), at temperature 1.
    """
    known = [each.mean_logprob for each in samples if each.mean_logprob is not None]
    if not known:
        return [1.0] * len(samples)
    usual = sum(map(_bounded, known)) / len(known)
    raw = [math.exp(_bounded(usual if s.mean_logprob is None else s.mean_logprob)) for s in samples]
    scale = len(raw) / sum(raw)
    return [each * scale for each in raw]


def _bounded(logprob: float) -> float:
    return _LEAST_LOGPROB if math.isnan(logprob) else max(_LEAST_LOGPROB, min(logprob, 0.0))
