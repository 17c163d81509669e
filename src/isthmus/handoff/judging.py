"""The nouns of a judgement: what is known of a local answer, what is estimated, and who estimates it."""

from typing import Literal, Protocol, TypeAlias

from msgspec import Struct

from isthmus.messages import FinishReason

Depth: TypeAlias = Literal["estimate", "watch", "check"]
"""How much may be known of an answer when it is decided who gives it: the question alone, its first tokens
(what is streamed), or all of it."""

DOUBT = 0.05
"""How near to the threshold a whole answer's score must be for a second opinion to be worth its tokens:
measured, a third of the draws bring three quarters of what drawing always brings."""


class LocalAnswer(Struct, frozen=True):
    """A local answer, or its beginning.

    Attributes:
        text: What is visible of it, without thinking.
        logprobs: Natural log-probability of each token that was taken, finite.
        whole: Whether it has ended.
        finish_reason: Why it ended, if it has.
        entropies: Of each token's likeliest rivals and the rest, in nats, where rivals were asked for.
        samples: Further answers to the same question, whole.
        voted: The share of its own samples that agree with it, where it was chosen by a vote.
        disproved: Which test of the question's own it fails, if it fails one.
    """

    text: str
    logprobs: tuple[float, ...]
    whole: bool
    finish_reason: FinishReason | None = None
    entropies: tuple[float, ...] = ()
    samples: tuple[str, ...] = ()
    voted: float | None = None
    disproved: str | None = None

    def beginning(self, tokens: int) -> "LocalAnswer":
        """Its first tokens, as they stood while it was written; their text is not told apart."""
        if self.whole and len(self.logprobs) <= tokens:
            return self
        return LocalAnswer("", self.logprobs[:tokens], whole=False, entropies=self.entropies[:tokens])


class Estimate(Struct, frozen=True):
    """How likely each side is to be right.

    Attributes:
        p_local_wrong: P(the local answer is wrong).
        p_hosted_right: P(the hosted answer is right), where the profile knows the hosted model.
        score: What is compared with the threshold, from 0 to 1.
        terms: What the score is made of, by name, in logits.
        logits: Of both probabilities, as the question alone gave them; later stages begin with them.
        question: What it is about, so that an answer can be read against it.
    """

    p_local_wrong: float
    p_hosted_right: float | None
    score: float
    terms: dict[str, float]
    logits: tuple[float, float] = (0.0, 0.0)
    question: str = ""

    def strongest(self, count: int = 3) -> dict[str, float]:
        """The terms that moved it most."""
        ranked = sorted([(-abs(value), name) for name, value in self.terms.items()])
        return {name: round(self.terms[name], 3) for _, name in ranked[:count]}

    def __repr__(self) -> str:
        # Without the question: it is the person's own, and a repr may end in a log.
        return f"Estimate(score={self.score:.3f}, p_local_wrong={self.p_local_wrong:.3f}, {self.strongest()})"


class Estimator(Protocol):
    """What judges questions and answers: a profile for a pair of models."""

    @property
    def top_logprobs(self) -> int:
        """How many rivals of each token it wants to see; 0: none."""
        ...

    def before(self, text: str) -> Estimate:
        """From the question alone."""
        ...

    def watch(self, before: Estimate, answer: LocalAnswer) -> Estimate:
        """From the beginning of a local answer, too."""
        ...

    def after(self, before: Estimate, answer: LocalAnswer) -> Estimate:
        """From the whole local answer, too."""
        ...

    @property
    def promises(self) -> bool:
        """Whether its thresholds promise a risk, so that nothing may raise them."""
        ...

    def threshold(self, depth: Depth, *, opinions: bool = True) -> float:
        """The score above which it hands over, if so much may be known of the answer.

        Args:
            depth: How much.
            opinions: Whether further answers are drawn in doubt.
        """
        ...

    def compares(self, answer: LocalAnswer) -> bool:
        """Whether further answers could tell it more of a whole one."""
        ...

    def can_change(self, before: Estimate, threshold: float, tokens: int) -> bool:
        """Whether so many first tokens may well carry the score across the threshold."""
        ...
