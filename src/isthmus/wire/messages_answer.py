"""What Messages answers are made of, as Anthropic publishes them."""

from typing import Any, Literal, TypeAlias

from msgspec import Struct

StopReason: TypeAlias = Literal[
    "end_turn", "max_tokens", "stop_sequence", "tool_use", "refusal", "model_context_window_exceeded"
]


class TextAnswer(Struct, tag="text"):
    """A run of text."""

    text: str


class ThinkingAnswer(Struct, tag="thinking"):
    """What the model thought; to be given back as it is."""

    thinking: str
    signature: str


class ToolUseAnswer(Struct, tag="tool_use"):
    """A call that the model asks for."""

    id: str
    name: str
    input: Any


AnswerBlock: TypeAlias = TextAnswer | ThinkingAnswer | ToolUseAnswer


class OutputDetails(Struct):
    """Of the answer's tokens: how many were thinking."""

    thinking_tokens: int


class MessageUsage(Struct):
    """Tokens of one request; those that were read from the prompt cache are not among ``input_tokens``."""

    input_tokens: int = 0
    cache_read_input_tokens: int = 0
    output_tokens: int = 0
    output_tokens_details: OutputDetails | None = None
    cache_creation_input_tokens: int = 0
    service_tier: Literal["standard"] = "standard"


class MessageAnswer(Struct, tag="message", kw_only=True):
    """A whole answer, or the head of a streamed one. ``isthmus`` says who answers and why."""

    id: str
    role: Literal["assistant"] = "assistant"
    model: str
    content: list[AnswerBlock]
    stop_reason: StopReason | None = None
    stop_sequence: str | None = None
    usage: MessageUsage
    isthmus: dict[str, Any]


class TokenCount(Struct):
    """How many tokens a prompt has."""

    input_tokens: int


# ---------------------------------------------------------------- the events of a stream


class MessageStart(Struct, tag="message_start"):
    """An answer begins."""

    message: MessageAnswer


class BlockStart(Struct, tag="content_block_start"):
    """A block begins, empty."""

    index: int
    content_block: AnswerBlock


class TextPiece(Struct, tag="text_delta"):
    """More of a text."""

    text: str


class ThinkingPiece(Struct, tag="thinking_delta"):
    """More of a thought."""

    thinking: str


class SignaturePiece(Struct, tag="signature_delta"):
    """The signature of a thought."""

    signature: str


class InputPiece(Struct, tag="input_json_delta"):
    """More of the JSON text of a call's input."""

    partial_json: str


class BlockDelta(Struct, tag="content_block_delta"):
    """More of a block."""

    index: int
    delta: TextPiece | ThinkingPiece | SignaturePiece | InputPiece


class BlockStop(Struct, tag="content_block_stop"):
    """A block is whole."""

    index: int


class Ending(Struct):
    """Why an answer ended."""

    stop_reason: StopReason
    stop_sequence: str | None


class MessageDelta(Struct, tag="message_delta"):
    """An answer has ended. ``isthmus`` says what it cost, and what was to be told on the way."""

    delta: Ending
    usage: MessageUsage
    isthmus: dict[str, Any]


class MessageStop(Struct, tag="message_stop"):
    """Nothing follows."""


class Ping(Struct, tag="ping"):
    """Nothing yet."""


BlockEvent: TypeAlias = BlockStart | BlockDelta | BlockStop
StreamEvent: TypeAlias = MessageStart | BlockEvent | MessageDelta | MessageStop | Ping
