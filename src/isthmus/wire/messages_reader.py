"""Anthropic's Messages answers, as a client: an upstream's events become ours."""

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from isthmus.messages import (
    Event,
    Finish,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from isthmus.wire.chat_reader import StreamError

# ---------------------------------------------------------------- shapes: only what is read


class _Details(Struct):
    thinking_tokens: int | None = None


class _Usage(Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    output_tokens_details: _Details | None = None


class _Message(Struct):
    usage: _Usage | None = None


class _Block(Struct):
    type: str
    text: str = ""
    thinking: str = ""
    id: str | None = None
    name: str | None = None


class _Delta(Struct):
    type: str | None = None
    text: str = ""
    thinking: str = ""
    partial_json: str = ""
    stop_reason: str | None = None
    stop_sequence: str | None = None


class _Error(Struct):
    type: str = ""
    message: str = ""


class _Payload(Struct):
    type: str
    index: int = 0
    message: _Message | None = None
    content_block: _Block | None = None
    delta: _Delta | None = None
    usage: _Usage | None = None
    error: _Error | None = None


_FINISH: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}


class MessagesReader:
    """Turns an upstream's events into ours, and knows whether the answer is whole.

    It is when ``message_stop`` has come after a reason to stop: an answer of this API has one choice, and no
    ``[DONE]``.
    """

    def __init__(self) -> None:
        self._decoder = msgspec.json.Decoder(_Payload)
        self._counts: dict[str, int] = {}
        self._reason: FinishReason | None = None
        self._stop: str | None = None
        self._calls: dict[int, int] = {}  # a block's index to the call's position
        self.ended = False
        """Whether the stream has said that nothing more comes."""

    @property
    def whole(self) -> bool:
        """Whether the answer has said why it ended, and that it did."""
        return self.ended and self._reason is not None

    def read(self, payload: bytes) -> list[Event]:
        """The events of one of theirs.

        Raises:
            StreamError: It is an error.
            msgspec.MsgspecError: It is not one of theirs.
        """
        event = self._decoder.decode(payload)
        match event.type:
            case "message_start":
                self._count(event.message and event.message.usage)
                # It has counted a token that isn't written yet; what an answer cost is told at its end.
                self._counts.pop("output_tokens", None)
            case "content_block_start" if event.content_block is not None:
                return self._begin(event.index, event.content_block)
            case "content_block_delta" if event.delta is not None:
                return self._go_on(event.index, event.delta)
            case "message_delta":
                self._count(event.usage)
                if event.delta is not None and event.delta.stop_reason:
                    self._reason = _FINISH.get(event.delta.stop_reason, "stop")
                    self._stop = event.delta.stop_sequence
            case "message_stop":
                self.ended = True
            case "error":
                raise StreamError(event.error.message or event.error.type if event.error else "")
            case _:
                pass  # ping, content_block_stop, and what they will think of next
        return []

    def finish(self) -> Iterator[Finish]:
        """The `Finish` of the answer, with its usage."""
        if self._reason is not None:
            yield Finish(self._reason, usage=self._usage(), stop_sequence=self._stop)

    def _begin(self, index: int, block: _Block) -> list[Event]:
        match block.type:
            case "tool_use":
                position = self._calls[index] = len(self._calls)
                return [ToolCallDelta(position, block.id, block.name)]
            case "text" if block.text:
                return [TextDelta(block.text)]
            case "thinking" if block.thinking:
                return [ReasoningDelta(block.thinking)]
            case _:
                return []

    def _go_on(self, index: int, delta: _Delta) -> list[Event]:
        if delta.text:
            return [TextDelta(delta.text)]
        if delta.thinking:
            return [ReasoningDelta(delta.thinking)]
        if delta.partial_json and index in self._calls:
            return [ToolCallDelta(self._calls[index], arguments=delta.partial_json)]
        return []

    def _count(self, usage: _Usage | None) -> None:
        """Take a count; each one is of the whole answer until then, and may leave out what hasn't changed."""
        if usage is None:
            return
        counts = msgspec.structs.asdict(usage)
        details: _Details | None = counts.pop("output_tokens_details")
        if details is not None:
            counts["thinking"] = details.thinking_tokens
        self._counts |= {name: count for name, count in counts.items() if count is not None}

    def _usage(self) -> Usage | None:
        """Theirs counts the prompt in three parts: new, read from a cache, written into one."""
        counts = self._counts
        if "output_tokens" not in counts:
            return None
        cached = counts.get("cache_read_input_tokens", 0)
        return Usage(
            prompt_tokens=counts.get("input_tokens", 0)
            + cached
            + counts.get("cache_creation_input_tokens", 0),
            completion_tokens=counts["output_tokens"],
            reasoning_tokens=counts.get("thinking", 0),
            cached_tokens=cached,
        )
