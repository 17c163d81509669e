"""Errors as each API words them, for the OpenAPI document; `failures` writes them."""

from typing import Literal

from msgspec import Struct


class OpenAIFault(Struct):
    """What went wrong: ``param`` names the parameter at fault, ``hint`` can be typed."""

    message: str
    type: str
    param: str | None
    code: str
    hint: str | None


class OpenAIError(Struct):
    """An error as OpenAI's API words it."""

    error: OpenAIFault


class AnthropicFault(Struct):
    """What went wrong; ``hint`` can be typed."""

    type: str
    message: str
    code: str
    hint: str | None


class AnthropicError(Struct):
    """An error as Anthropic's API words it."""

    type: Literal["error"]
    error: AnthropicFault
    request_id: str | None = None


class OllamaError(Struct):
    """An error as Ollama's API words it."""

    error: str
