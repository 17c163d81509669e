"""What Completions answers look like: written by `completions_writer`, described in the OpenAPI document."""

from typing import Literal

from msgspec import Struct

from isthmus.messages import FinishReason
from isthmus.wire.chat_answer import EngineTimings, Isthmus, Usage


class TextLogprobs(Struct):
    """Natural log-probabilities of tokens, column by column; ``text_offset`` counts characters."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]


class TextChoice(Struct):
    """One of the answers asked for, or more of it."""

    text: str
    index: int
    logprobs: TextLogprobs | None
    finish_reason: FinishReason | None


class TextCompletion(Struct):
    """A whole answer, or a piece of a streamed one; ``usage`` is in the last, where it was asked for."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[TextChoice]
    usage: Usage | None = None
    system_fingerprint: str | None = None
    timings: EngineTimings | None = None
    isthmus: Isthmus | None = None
