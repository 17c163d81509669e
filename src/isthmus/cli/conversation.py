"""A conversation: what was asked and answered so far, as it is saved and as it is sent."""

from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from isthmus.messages import Effort, Message
from isthmus.wire.gathered import Completion

CUT_MARK = " […]"
"""Ends an answer that isn't whole where it is sent again, so that the model doesn't take it for whole."""


class Turn(Struct, frozen=True, omit_defaults=True):
    """A question and its answer: who gave it (``provider`` None: the model at home), and when it was asked.

    ``cut`` says that the answer isn't whole: it was stopped, broke off, or came to the token limit.
    """

    at: datetime
    question: str
    answer: str
    model: str
    provider: str | None = None
    reasoning: str | None = None
    cut: bool = False

    @property
    def messages(self) -> tuple[Message, Message]:
        """The turn as a model reads it. Its thinking isn't sent again: templates drop it, and it is long."""
        answer = self.answer + CUT_MARK if self.cut else self.answer
        return Message("user", self.question), Message("assistant", answer)


class Conversation(Struct, frozen=True, omit_defaults=True):
    """The turns so far, and what every question goes with: model, system message, effort.

    The hand-off mode is not part of it: what may leave the machine is never decided by a saved file. That
    nothing of it may is: a conversation that is ``home_only`` stays so.
    """

    model: str
    system: str | None = None
    effort: Effort | None = None
    turns: tuple[Turn, ...] = ()
    home_only: bool = False

    def messages(self, question: str) -> tuple[Message, ...]:
        """The whole of it as a model reads it, with the question that comes next."""
        system = (Message("system", self.system),) if self.system else ()
        said = (message for turn in self.turns for message in turn.messages)
        return (*system, *said, Message("user", question))

    def with_turn(self, turn: Turn) -> "Conversation":
        """It goes on."""
        return msgspec.structs.replace(self, turns=(*self.turns, turn))

    def without_last(self) -> "Conversation":
        """As it was before the last question."""
        return msgspec.structs.replace(self, turns=self.turns[:-1])


def turn_from(question: str, completion: Completion, at: datetime | None = None) -> Turn | None:
    """What is kept of an answer, as far as it came; None if nothing of it was shown."""
    route, last = completion.route, completion.last
    cut = last is None or last.reason == "length"
    if route is None or (cut and not completion.text):
        return None
    return Turn(
        at=at or datetime.now(UTC),
        question=question,
        answer=completion.text,
        model=route.model,
        provider=route.provider,
        reasoning=completion.reasoning or None,
        cut=cut,
    )
