"""An answer gathered from its events, for every API that gives it whole."""

from isthmus.messages import (
    Event,
    Finish,
    FinishReason,
    Notice,
    ReasoningDelta,
    Route,
    TextDelta,
    TokenScore,
    TokenScores,
    ToolCall,
    ToolCallDelta,
    Usage,
)


class GatheredChoice:
    """One choice of an answer, as far as it has come."""

    def __init__(self) -> None:
        self.scores: list[TokenScore] = []
        self.finish: FinishReason | None = None
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._calls: dict[int, ToolCall] = {}

    @property
    def text(self) -> str:
        """The answer."""
        return "".join(self._text)

    @property
    def reasoning(self) -> str:
        """The thinking before it."""
        return "".join(self._reasoning)

    @property
    def calls(self) -> list[ToolCall]:
        """The calls that it asks for, in their order."""
        return [call for _, call in sorted(self._calls.items())]

    def add(self, event: TextDelta | ReasoningDelta | ToolCallDelta | TokenScores) -> None:
        """Take one event of this choice."""
        match event:
            case TextDelta(text):
                self._text.append(text)
            case ReasoningDelta(text):
                self._reasoning.append(text)
            case ToolCallDelta(position, id_, name, arguments):
                call = self._calls.get(position, ToolCall("", "", ""))
                self._calls[position] = ToolCall(
                    id_ or call.id, name or call.name, call.arguments + arguments
                )
            case TokenScores(tokens):
                self.scores.extend(tokens)


class Completion:
    """Gathers events into a whole answer."""

    def __init__(self) -> None:
        self.choices: dict[int, GatheredChoice] = {}
        self.route: Route | None = None
        self.notices: list[Notice] = []
        self.last: Finish | None = None

    def add(self, event: Event) -> None:
        """Take one event."""
        match event:
            case TextDelta() | ReasoningDelta() | ToolCallDelta() | TokenScores():
                self.choice(event.index).add(event)
            case Route():
                self.route = event
            case Notice():
                self.notices.append(event)
            case Finish(reason=reason, index=index):
                self.choice(index).finish = reason
                self.last = event
            case _:
                pass

    def choice(self, index: int = 0) -> GatheredChoice:
        """One of the choices; empty if nothing of it has come."""
        found = self.choices.get(index)
        if found is None:
            found = self.choices[index] = GatheredChoice()
        return found

    @property
    def text(self) -> str:
        """The first choice's answer."""
        return self.choice().text

    @property
    def reasoning(self) -> str:
        """The first choice's thinking."""
        return self.choice().reasoning

    @property
    def usage(self) -> Usage:
        """The tokens of all choices; zeros where the model didn't say."""
        return self.last.usage if self.last and self.last.usage else Usage()
