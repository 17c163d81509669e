"""What Ollama's answers look like, for the OpenAPI document; `ollama_writer` writes them."""

from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

from isthmus.wire.chat_answer import Isthmus


class Remarks(Isthmus):
    """Who answered and why, and which parameters of the request had no effect."""

    ignored_parameters: list[str] | None = None


class Function(Struct):
    """A function that is to be called; ``arguments`` is an object."""

    index: int
    name: str
    arguments: dict[str, Any]


class Call(Struct):
    """A call that the model asks for."""

    id: str
    function: Function


class Message(Struct):
    """The answer, or a piece of it."""

    role: Literal["assistant"]
    content: str
    thinking: str | None = None
    tool_calls: list[Call] | None = None


class Token(Struct):
    """A token with its natural log-probability."""

    token: str
    logprob: float
    bytes: list[int]


class ScoredToken(Token):
    """A token of the answer, and those that might have stood there."""

    top_logprobs: list[Token]


class Line(Struct, kw_only=True):
    """What all lines have in common; the last one has counts, and durations in nanoseconds."""

    model: str
    created_at: datetime
    done: bool
    done_reason: str | None = None
    total_duration: int | None = None
    load_duration: int | None = None
    prompt_eval_count: int | None = None
    prompt_eval_cached_count: int | None = None
    prompt_eval_duration: int | None = None
    eval_count: int | None = None
    eval_duration: int | None = None
    logprobs: list[ScoredToken] | None = None
    isthmus: Remarks | None = None


class ChatLine(Line, kw_only=True):
    """A line of ``/api/chat``, or the whole answer."""

    message: Message


class GenerateLine(Line, kw_only=True):
    """A line of ``/api/generate``, or the whole answer."""

    response: str
    thinking: str | None = None
