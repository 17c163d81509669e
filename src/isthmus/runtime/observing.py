"""The one seam for metrics, logs and traces: each answer is told of once, when it has ended."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from isthmus.ledger import QuestionRecord
from isthmus.messages import FinishReason, GenerationRequest, Timings


class Answered(Struct, frozen=True):
    """One question, once it has ended, well or not."""

    record: QuestionRecord
    """As the ledger has it: who answered and why, tokens, times, cost, how it ended."""
    request: GenerationRequest
    finish_reasons: tuple[FinishReason, ...]
    """Of each choice, in the order in which they ended."""
    timings: Timings | None
    """Of its last finish: beside what the record says, how long it waited for its turn."""
    pieces: Sequence[str]
    """The answer's text as it came: thinking, words, arguments of calls."""


class Observer(Protocol):
    """Who wants to know."""

    def finished(self, answered: Answered) -> None:
        """Take note of an answer. It is called in the event loop, so it must be quick, and must not raise."""
        ...
