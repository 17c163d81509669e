"""A profile: what was learnt of a pair of models, and the estimates that it makes, stage by stage.

    before = profile.before(question)             # from the text alone
    seen = profile.watch(before, beginning)       # and its answer's first tokens
    known = profile.after(before, answer)         # and its whole answer
    hand_over = known.score > profile.threshold("check", opinions=False)

Each stage has two logistic heads, P(local wrong) and P(hosted right). What the text alone gave goes into the
later stages as two features, its logits. At run time there is nothing here but the standard library: a
sparse product of some hundred terms is done before a numerical library is imported.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct, field

from isthmus.handoff.estimator.agreement import AGREEMENT, agreement
from isthmus.handoff.estimator.answer import answer_features
from isthmus.handoff.estimator.head import WORDS, Heads, Pair, sigmoid, unpacked
from isthmus.handoff.estimator.question import open_ended, question_features
from isthmus.handoff.estimator.tokens import beginning_features, beginning_weight, token_features
from isthmus.handoff.estimator.words import hashed
from isthmus.handoff.judging import Depth, Estimate, LocalAnswer
from isthmus.scoring import comes_to

Ranking: TypeAlias = Literal["gain", "wrong"]
"""What the score is: (P(local wrong) + P(hosted right)) / 2, or, where a risk is promised, P(local wrong)."""

FORMAT = "isthmus.estimator/1"
QUESTION_WRONG, QUESTION_RIGHT = "question", "question for the hosted model"
"""What the text alone said, as features of the later stages."""
_OF_QUESTION = (QUESTION_WRONG, QUESTION_RIGHT)
_ENOUGH = 24
"""Tokens from which on a whole answer's log-probabilities count in full; of fewer, each is chance."""
_REMEMBERED = 256
"""Questions whose estimate is kept: an agent's stays the same for as long as its loop goes on."""
_UNDECIDED = 0.5
"""The score of a question that either model answers as well as the other."""


class Provenance(Struct, frozen=True):
    """Where a profile comes from: data and their hash, how many rows, which models, how it was made."""

    made_at: str = ""
    made_by: str = ""
    data: tuple[str, ...] = ()
    sha256: tuple[str, ...] = ()
    rows: int = 0
    local_model: str | None = None
    hosted_model: str | None = None
    target: str = ""
    notes: str = ""


class ProfileData(Struct, frozen=True):
    """A profile as it is stored. ``idf`` has one float a bucket; `Profile` makes estimates of it."""

    name: str
    calibrated: bool
    before: Heads
    idf: bytes = b""
    watch: Heads | None = None
    after: Heads | None = None
    voted: Heads | None = None
    """Of stage 3, too, where further answers are known: what they come to is one more feature there."""
    thresholds: dict[Depth, float] = field(default_factory=dict[Depth, float])
    """By how much may be known of an answer; ``check``'s with second opinions in doubt, if ``voted``."""
    alone: float | None = None
    """``check``'s where no second opinions are drawn; None: the same."""
    top_logprobs: int = 0
    ranks_by: Ranking = "gain"
    provenance: Provenance = Provenance()
    measured: dict[str, float] = field(default_factory=dict[str, float])
    format: str = FORMAT


class Profile:
    """Makes estimates from a profile's data.

    Args:
        data: What was learnt.

    Raises:
        ValueError: Two heads don't go together.
    """

    def __init__(self, data: ProfileData) -> None:
        self.data = data
        self.name = data.name
        self.calibrated = data.calibrated
        self.top_logprobs = data.top_logprobs
        self.thresholds = data.thresholds
        self._questions: dict[str, Estimate] = {}
        self._idf = unpacked(data.idf)
        self._before = Pair(data.before)
        self._watch = None if data.watch is None else Pair(data.watch)
        self._after = None if data.after is None else Pair(data.after)
        self._voted = None if data.voted is None else Pair(data.voted)
        self._reach = (0.0, 0.0) if self._watch is None else self._watch.reach(_OF_QUESTION)
        self._words = unpacked(data.before.wrong.words), unpacked(data.before.right.words)

    def before(self, text: str) -> Estimate:
        """The estimate before anything is generated, from the last user message: stage 1."""
        if (known := self._questions.get(text)) is not None:
            return known
        estimate = self._judge(text)
        if len(self._questions) >= _REMEMBERED:
            self._questions.clear()
        self._questions[text] = estimate
        return estimate

    def _judge(self, text: str) -> Estimate:
        values = question_features(text)
        spoken = self._spoken(text)
        logits, terms = self._before.weigh(values)
        logits = logits[0] + spoken[0], logits[1] + spoken[1]
        if any(spoken):
            terms[WORDS] = spoken[0] + spoken[1]
        return self._estimate(logits, terms, logits, text)

    def watch(self, before: Estimate, answer: LocalAnswer) -> Estimate:
        """The estimate once a beginning of the local answer is known: stage 2.

        A beginning says less than the whole, so its tokens count in proportion to how many there are.
        """
        values = beginning_features(answer)
        if self._watch is None or not values or open_ended(before.question):
            return before
        logits, terms = self._watch.weigh(of_question(before))
        more, told = self._watch.weigh(values, beginning_weight(len(answer.logprobs)), bias=False)
        together = logits[0] + more[0], logits[1] + more[1]
        return self._estimate(together, {**terms, **told}, before.logits, before.question)

    def after(self, before: Estimate, answer: LocalAnswer) -> Estimate:
        """The estimate once the whole local answer is known: stage 3.

        Of an answer of a few words the tokens count in proportion to how many there are.
        """
        if self._after is None or not (answer.text or answer.logprobs):
            return before
        values, tokens = _said(before, answer), _sureness(before, answer)
        # Heads of their own: what else an answer shows counts for less once others are known to agree.
        heads = self._voted if self._voted is not None and AGREEMENT in values else self._after
        logits, terms = heads.weigh(values)
        more, told = heads.weigh(tokens, min(1.0, len(answer.logprobs) / _ENOUGH), bias=False)
        logits, terms = (logits[0] + more[0], logits[1] + more[1]), {**terms, **told}
        return self._estimate(logits, terms, before.logits, before.question)

    @property
    def promises(self) -> bool:
        """Whether its thresholds promise a risk."""
        return self.data.ranks_by == "wrong"

    def threshold(self, depth: Depth, *, opinions: bool = True) -> float:
        """The score above which a question is handed over; where there is none, it is the question's alone.

        Args:
            depth: How much may be known of the answer.
            opinions: Whether further answers are drawn in doubt.
        """
        if depth == "check" and not opinions and self.data.alone is not None:
            return self.data.alone
        return self.thresholds.get(depth, self.thresholds.get("estimate", _UNDECIDED))

    def compares(self, answer: LocalAnswer) -> bool:
        """Whether further answers to the same question could tell it more of a whole one."""
        return self._voted is not None and answer.voted is None and comes_to(answer.text) is not None

    def can_change(self, before: Estimate, threshold: float, tokens: int) -> bool:
        """Whether so many first tokens may well decide on which side of the threshold the score will lie.

        May well: by what is usual of them, not by the utmost, for which nearly every question would wait.
        """
        least, most = self.reach(before, tokens)
        return least <= threshold < most

    def reach(self, before: Estimate, tokens: int) -> tuple[float, float]:
        """Between which scores so many first tokens usually leave it; one alone where they tell nothing."""
        if self._watch is None or tokens <= 0 or open_ended(before.question):
            return before.score, before.score
        weight = beginning_weight(tokens)
        (wrong, right), _ = self._watch.weigh(of_question(before))
        over, up = (weight * each for each in self._reach)
        least = self._score(sigmoid(wrong - over), sigmoid(right - up))
        most = self._score(sigmoid(wrong + over), sigmoid(right + up))
        return least, most

    def _score(self, wrong: float, right: float) -> float:
        return wrong if self.data.ranks_by == "wrong" else (wrong + right) / 2

    def _estimate(
        self,
        logits: tuple[float, float],
        terms: dict[str, float],
        of_question: tuple[float, float],
        text: str,
    ) -> Estimate:
        wrong, right = sigmoid(logits[0]), sigmoid(logits[1])
        return Estimate(wrong, right, self._score(wrong, right), terms, of_question, text)

    def _spoken(self, text: str) -> tuple[float, float]:
        """What the words of a text add to either logit."""
        wrong, right = self._words
        if not (wrong or right):
            return 0.0, 0.0
        weights = hashed(text, self._idf)
        return _dot(weights, wrong), _dot(weights, right)


def _dot(weights: Mapping[int, float], of_words: Sequence[float]) -> float:
    """The sum over a text's buckets; zero for a head that gives words no weight."""
    return math.fsum(weight * of_words[place] for place, weight in weights.items()) if of_words else 0.0


def after_features(before: Estimate, answer: LocalAnswer) -> dict[str, float]:
    """All that stage 3 looks at."""
    return {**_said(before, answer), **_sureness(before, answer)}


def _said(before: Estimate, answer: LocalAnswer) -> dict[str, float]:
    """What the question and the texts of its answers say."""
    said = {**of_question(before), **answer_features(before.question, answer)}
    agreed = agreement(answer)
    return said if agreed is None else {**said, AGREEMENT: agreed}


def _sureness(before: Estimate, answer: LocalAnswer) -> dict[str, float]:
    """How sure the model was of its tokens, where that tells anything."""
    return {} if open_ended(before.question) else token_features(answer)


def of_question(before: Estimate) -> dict[str, float]:
    """What the question alone said, as features of the later stages."""
    return {QUESTION_WRONG: before.logits[0], QUESTION_RIGHT: before.logits[1]}
