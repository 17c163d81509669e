"""One choice of an answer whose model thinks: how far it has come, why its thought was cut, what it took."""

from typing import Literal, TypeAlias

from isthmus.messages import Finish, ReasoningDelta, TextDelta, ToolCallDelta, Usage
from isthmus.reasoning.budget import Overrun, Watch, tokens_in
from isthmus.reasoning.parser import Said, ThoughtReader

Cut: TypeAlias = Overrun | Literal["garbled", "silent"]
"""Why a thought was cut. Garbled: it broke its format. Silent: it ended by itself, and no answer came."""


class Choice:
    """One choice of an answer.

    Args:
        reader: Tells its thought from the rest.
        watch: Looks after its thought.
    """

    def __init__(self, reader: ThoughtReader, watch: Watch) -> None:
        self.reader = reader
        self.watch = watch
        self.answer_tokens = 0
        self.cut: Cut | None = None
        self.finish: Finish | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more is wanted of what it came in."""
        return self.cut is not None or self.finish is not None

    @property
    def thought(self) -> bool:
        """Whether it has thought at all, or was cut before it came to."""
        return self.watch.tokens > 0 or self.cut is not None

    @property
    def tokens(self) -> int:
        """About how many it has written."""
        return self.watch.tokens + self.answer_tokens

    def take(self, said: Said) -> None:
        """Count what it says; its thought may have to be cut then."""
        match said:
            case ReasoningDelta(text):
                self.cut = self.watch.add(text)
            case TextDelta(text) | ToolCallDelta(arguments=text):
                self.answer_tokens += tokens_in(text)

    def end(self, finish: Finish) -> None:
        """The model has ended it, with an answer or without one."""
        if finish.reason == "stop" and self.watch.tokens and not self.answer_tokens:
            self.cut = "silent"
        else:
            self.finish = finish


def total_usage(main: Usage | None, more: list[Usage], choices: list[Choice]) -> Usage:
    """The tokens of an answer, the thoughts among them as such.

    Args:
        main: What the model said it took; None where it was interrupted, so that it never did.
        more: What each continuation took.
        choices: The answer's.
    """
    thought = sum(choice.watch.tokens for choice in choices)
    if main is None:
        # The thought, which is part of what a continuation has read, was written and not asked.
        read = max((each.prompt_tokens for each in more), default=0)
        asked = max(0, read - max((choice.watch.tokens for choice in choices), default=0))
        cached = min((each.cached_tokens for each in more), default=0)
        main = Usage(asked, sum(choice.tokens for choice in choices), cached_tokens=min(asked, cached))
    written = main.completion_tokens + sum(each.completion_tokens for each in more)
    told = main.reasoning_tokens if not more else 0
    return Usage(main.prompt_tokens, written, told or min(thought, written), main.cached_tokens)
