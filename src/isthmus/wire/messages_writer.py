"""Messages answers, as Anthropic's API gives them: events become a stream's events, or one object."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from isthmus.messages import Event, Finish, Notice, Route, Usage
from isthmus.wire import sse
from isthmus.wire.messages_answer import (
    AnswerBlock,
    BlockDelta,
    BlockEvent,
    BlockStart,
    Ending,
    InputPiece,
    MessageAnswer,
    MessageDelta,
    MessageStart,
    MessageStop,
    MessageUsage,
    OutputDetails,
    Ping,
    SignaturePiece,
    TextAnswer,
    TextPiece,
    ThinkingAnswer,
    ThinkingPiece,
    ToolUseAnswer,
)
from isthmus.wire.messages_request import MessagesCall
from isthmus.wire.messages_sequence import BlockSequence
from isthmus.wire.remarks import remarks

_ENCODER = msgspec.json.Encoder()

PING = sse.event("ping", _ENCODER.encode(Ping()))
"""The event that says nothing."""


class MessageWriter:
    """Renders events as the events of one streamed answer.

    Args:
        id_: What names the answer, and its calls where they come without an id.
        call: What was asked.
    """

    def __init__(self, id_: str, call: MessagesCall) -> None:
        self._id = id_
        self._call = call
        self._blocks = BlockSequence(id_, show_thinking=call.show_thinking)
        self._route: Route | None = None
        self._notices: list[Notice] = []
        # The common event, a piece of text, is cut from a template.
        self._heads: dict[int, bytes] = {}

    def open(self, route: Route | None, notices: Sequence[Notice]) -> bytes:
        """The first event: who answers. How long the prompt is, is only known at the end."""
        self._route = route
        head = _message(self._id, route, [], MessageUsage(), remarks(route, notices=notices))
        return sse.event("message_start", _ENCODER.encode(MessageStart(head)))

    def render(self, event: Event) -> bytes:
        """The stream's events for an event; empty if the API has no word for it, or none yet."""
        if isinstance(event, Notice):
            self._notices.append(event)
        return b"".join(map(self._render, self._blocks.add(event)))

    def close(self, finish: Finish | None) -> bytes:
        """The last events: what was not yet said, why it ended, and its tokens."""
        rest = map(self._render, self._blocks.end())
        ending = _ending(finish, self._call, self._route, called=self._blocks.called)
        end = MessageDelta(ending, _usage(finish), remarks(None, finish, self._notices))
        last = (
            sse.event("message_delta", _ENCODER.encode(end)),
            sse.event("message_stop", _ENCODER.encode(MessageStop())),
        )
        return b"".join((*rest, *last))

    def _render(self, event: BlockEvent) -> bytes:
        match event:
            case BlockDelta(index, TextPiece(text)):
                return self._head(index) + _ENCODER.encode(text) + b"}}\n\n"
            case BlockDelta():
                return sse.event("content_block_delta", _ENCODER.encode(event))
            case BlockStart():
                return sse.event("content_block_start", _ENCODER.encode(event))
            case _:
                return sse.event("content_block_stop", _ENCODER.encode(event))

    def _head(self, index: int) -> bytes:
        if index not in self._heads:
            whole = sse.event("content_block_delta", _ENCODER.encode(BlockDelta(index, TextPiece(""))))
            self._heads[index] = whole.removesuffix(b'""}}\n\n')
        return self._heads[index]


class MessageGatherer:
    """Gathers events into a whole answer, of the very blocks that its stream would have.

    Args:
        id_: What names the answer, and its calls where they come without an id.
        call: What was asked.
    """

    def __init__(self, id_: str, call: MessagesCall) -> None:
        self.route: Route | None = None
        self._id = id_
        self._call = call
        self._sequence = BlockSequence(id_, show_thinking=call.show_thinking)
        self._blocks: list[BlockEvent] = []
        self._notices: list[Notice] = []
        self._finish: Finish | None = None

    def add(self, event: Event) -> None:
        """Take one event."""
        match event:
            case Route():
                self.route = event
            case Notice():
                self._notices.append(event)
            case Finish():
                self._finish = event
            case _:
                self._blocks += self._sequence.add(event)

    def render(self) -> bytes:
        """The answer."""
        content = gathered([*self._blocks, *self._sequence.end()])
        said = remarks(self.route, self._finish, self._notices)
        answer = _message(self._id, self.route, content, _usage(self._finish), said)
        ending = _ending(self._finish, self._call, self.route, called=self._sequence.called)
        answer.stop_reason, answer.stop_sequence = ending.stop_reason, ending.stop_sequence
        return _ENCODER.encode(answer)


def gathered(events: Iterable[BlockEvent]) -> list[AnswerBlock]:
    """The blocks that a stream's events come to."""
    blocks: list[AnswerBlock] = []
    pieces: list[list[str]] = []
    for event in events:
        match event:
            case BlockStart(_, block):
                blocks.append(block)
                pieces.append([])
            case BlockDelta(index, TextPiece(text) | ThinkingPiece(text) | InputPiece(text)):
                pieces[index].append(text)
            case BlockDelta(index, SignaturePiece(signature)):
                blocks[index] = ThinkingAnswer("", signature)
            case _:
                pass
    return [_filled(block, "".join(text)) for block, text in zip(blocks, pieces, strict=True)]


def _filled(block: AnswerBlock, text: str) -> AnswerBlock:
    match block:
        case TextAnswer():
            return TextAnswer(text)
        case ThinkingAnswer(_, signature):
            return ThinkingAnswer(text, signature)
        case ToolUseAnswer(id_, name):
            return ToolUseAnswer(id_, name, _input(text))


def _input(text: str) -> dict[str, Any]:
    """A call's input, which may have been cut off; what isn't an object is given as Anthropic advises."""
    try:
        return msgspec.json.decode(text or "{}", type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        return {"INVALID_JSON": text}


def _message(
    id_: str, route: Route | None, content: list[AnswerBlock], usage: MessageUsage, said: dict[str, Any]
) -> MessageAnswer:
    model = route.model if route else ""
    return MessageAnswer(id=f"msg_{id_}", model=model, content=content, usage=usage, isthmus=said)


def _usage(finish: Finish | None) -> MessageUsage:
    tokens = (finish and finish.usage) or Usage()
    return MessageUsage(
        input_tokens=max(0, tokens.prompt_tokens - tokens.cached_tokens),
        cache_read_input_tokens=tokens.cached_tokens,
        output_tokens=tokens.completion_tokens,
        output_tokens_details=OutputDetails(tokens.reasoning_tokens),
    )


def _ending(finish: Finish | None, call: MessagesCall, route: Route | None, *, called: bool) -> Ending:
    """Why an answer ended, as Anthropic words it."""
    match finish:
        case Finish(reason="content_filter"):
            return Ending("refusal", None)
        case Finish(reason="length"):
            spent = _spent(finish, call, route)
            return Ending("max_tokens" if spent else "model_context_window_exceeded", None)
        case Finish(reason="stop", stop_sequence=str() as sequence):
            return Ending("stop_sequence", sequence)
        case _:
            return Ending("tool_use" if called else "end_turn", None)


def _spent(finish: Finish, call: MessagesCall, route: Route | None) -> bool:
    """Whether an answer had as many tokens as were asked for; a hosted one has a limit of its own."""
    at_home = route is not None and route.decision.target == "local"
    return not at_home or finish.usage is None or finish.usage.completion_tokens >= call.max_tokens
