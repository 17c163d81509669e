"""Texts to vectors: over our own worker, and over a person's runner."""

import math
import struct
from base64 import b64decode
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from isthmus.engines.tokens import Post, WorkerTokenizer
from isthmus.errors import ContextLengthExceeded, EngineError, RequestError
from isthmus.messages import Embeddings

Text: TypeAlias = str | Sequence[int]
"""A text, or its tokens."""

BATCH = 64
"""Texts of one call: a worker answers them all at once, and is given up if it is silent for too long."""
_BATCH_LENGTH = 32 << 10
"""Bytes, or tokens, of one call's texts together, unless a single one has more."""
_MARKS = 8
"""Tokens that a model may add around a text of its own."""


class _Vector(Struct):
    index: int
    embedding: str | list[float]


class _Usage(Struct, frozen=True):
    prompt_tokens: int = 0


class _Reply(Struct):
    data: list[_Vector]
    usage: _Usage = _Usage()


class WorkerEmbedder:
    """An `Embedder` over a worker that was started for it.

    Args:
        post: Calls the worker.
        tokenizer: Its own.
        model: The model's name.
        limit: The most tokens that it takes of a text; 0 where it was started to answer.
    """

    def __init__(self, post: Post, tokenizer: WorkerTokenizer, model: str, limit: int) -> None:
        self._post = post
        self._tokenizer = tokenizer
        self._model = model
        self._limit = limit

    async def embed(self, texts: Sequence[Text]) -> Embeddings:
        """The vectors of some texts.

        Raises:
            RequestError: One is empty, or has a token that the model doesn't know.
            ContextLengthExceeded: One is longer than the model reads at once.
        """
        if not self._limit:
            raise RequestError(f"{self._model} was loaded to answer, not to turn texts into vectors")
        for number, text in enumerate(texts):
            await self._check(text, number)
        return await _in_batches(self._post, "/v1/embeddings", texts)

    async def _check(self, text: Text, number: int) -> None:
        if not text:
            raise RequestError(f"text {number} is empty", param="input")
        # No token is shorter than a byte, so mostly nothing needs to be counted.
        if isinstance(text, str) and len(text.encode()) + _MARKS <= self._limit:
            return
        tokens = text
        if isinstance(text, str):
            tokens = await self._tokenizer.tokenize(text, special=True, add_special=True)
        if len(tokens) > self._limit:
            raise ContextLengthExceeded(
                f"text {number} has {len(tokens):,} tokens, and {self._model} reads {self._limit:,} at most",
                hint="cut it into pieces, and embed each of them",
                param="input",
            )


class RunnerEmbedder:
    """An `Embedder` over a runner.

    Args:
        post: Calls the runner.
        model: The model's name there.
    """

    def __init__(self, post: Post, model: str) -> None:
        self._post = post
        self._model = model

    async def embed(self, texts: Sequence[Text]) -> Embeddings:
        """The vectors of some texts, as the runner makes them, brought to unit length.

        Raises:
            RequestError: It refuses them.
            EngineError: It can't be reached, or failed.
        """
        made = await _in_batches(self._post, "/embeddings", texts, model=self._model)
        return Embeddings(tuple(map(_of_unit_length, made.vectors)), made.prompt_tokens)


async def _in_batches(post: Post, path: str, texts: Sequence[Text], **more: Any) -> Embeddings:
    vectors: list[tuple[float, ...]] = []
    tokens = 0
    for batch in _batches(texts):
        # As base64 a vector is a third as long, and needn't be read digit by digit.
        asked = {"input": batch, "encoding_format": "base64", **more}
        reply = _read(await post(path, msgspec.json.encode(asked)), len(batch))
        vectors += [_floats(each.embedding) for each in sorted(reply.data, key=lambda each: each.index)]
        tokens += reply.usage.prompt_tokens
    return Embeddings(tuple(vectors), tokens)


def _batches(texts: Sequence[Text]) -> Iterator[list[Text]]:
    batch: list[Text] = []
    length = 0
    for text in texts:
        size = len(text.encode()) if isinstance(text, str) else len(text)
        if batch and (len(batch) == BATCH or length + size > _BATCH_LENGTH):
            yield batch
            batch, length = [], 0
        batch.append(text)
        length += size
    if batch:
        yield batch


def _read(reply: Any, count: int) -> _Reply:
    try:
        read = msgspec.convert(reply, _Reply)
    except msgspec.ValidationError as error:
        raise EngineError(f"the engine's vectors can't be read: {error}") from error
    if len(read.data) != count:
        raise EngineError(f"the engine made {len(read.data)} vectors of {count} texts")
    return read


def _floats(embedding: str | list[float]) -> tuple[float, ...]:
    if isinstance(embedding, list):
        return tuple(embedding)
    try:
        raw = b64decode(embedding, validate=True)
        return struct.unpack(f"<{len(raw) // 4}f", raw)
    except (ValueError, struct.error) as error:
        raise EngineError(f"the engine's vectors can't be read: {error}") from error


def _of_unit_length(vector: Iterable[float]) -> tuple[float, ...]:
    numbers = tuple(vector)
    length = math.hypot(*numbers)
    return tuple(each / length for each in numbers) if length else numbers
