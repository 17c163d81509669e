"""Embeddings requests and answers, as OpenAI publishes them."""

import struct
from base64 import b64encode
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from isthmus.errors import RequestError
from isthmus.messages import Embeddings
from isthmus.wire.decoding import BodyDecoder
from isthmus.wire.raw_request import Prompts, Raw, is_raw, read_prompts

MAX_TEXTS = 2048
"""OpenAI's."""

Encoding: TypeAlias = Literal["float", "base64"]


class EmbeddingsBody(Struct):
    """A request. ``input`` is a text, texts, tokens or lists of them; base64 holds little-endian float32."""

    input: Prompts
    model: str | None = None
    encoding_format: Encoding | None = None
    dimensions: Annotated[int, Meta(ge=1)] | None = None
    user: str | None = None  # known, without effect here, so not worth a warning


class EmbeddingsCall(Struct, frozen=True):
    """A parsed request."""

    texts: tuple[Raw, ...]
    model: str | None
    encoding: Encoding
    dimensions: int | None
    ignored: tuple[str, ...] = ()


class Vector(Struct):
    """One text's vector."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingsUsage(Struct):
    """The tokens of all texts."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsAnswer(Struct):
    """The vectors, in the order of their texts."""

    object: Literal["list"]
    data: list[Vector]
    model: str
    usage: EmbeddingsUsage


_WORDS: dict[str, Any] = {"encoding_format": Encoding}
_DECODER = BodyDecoder(EmbeddingsBody, _WORDS)


def parse_embeddings(body: bytes) -> EmbeddingsCall:
    """Read an Embeddings request.

    Raises:
        RequestError: Not JSON, or a parameter of the wrong type or out of range; ``param`` names it.
    """
    asked = _DECODER.decode(body)
    given = read_prompts(asked.input, "input", MAX_TEXTS)
    texts = tuple(text for text in given if is_raw(text))
    if len(texts) < len(given):
        raise RequestError("input mixes tokens with texts", param="input")
    if "" in texts:
        raise RequestError(f"input: text {texts.index('')} is empty", param="input")
    return EmbeddingsCall(
        texts=texts,
        model=asked.model,
        encoding=asked.encoding_format or "float",
        dimensions=asked.dimensions,
        ignored=_DECODER.unknown(body),
    )


def render_embeddings(made: Embeddings, model: str, call: EmbeddingsCall) -> bytes:
    """The answer.

    Raises:
        RequestError: The vectors have other dimensions than were asked for.
    """
    length = len(made.vectors[0])
    if call.dimensions not in (None, length):
        raise RequestError(
            f"dimensions: the vectors of {model} have {length}, and can't be cut to {call.dimensions}",
            hint=f"leave it out, or ask for {length}",
            param="dimensions",
        )
    data = [
        Vector("embedding", index, to_base64(vector) if call.encoding == "base64" else list(vector))
        for index, vector in enumerate(made.vectors)
    ]
    usage = EmbeddingsUsage(made.prompt_tokens, made.prompt_tokens)
    return msgspec.json.encode(EmbeddingsAnswer("list", data, model, usage))


def to_base64(vector: tuple[float, ...]) -> str:
    """A vector as the base64 of its numbers, each a little-endian float32."""
    return b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
