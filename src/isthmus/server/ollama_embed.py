"""Ollama's API, vectors: ``/api/embed``, and ``/api/embeddings``, which came before it."""

import math
import time
from collections.abc import Sequence
from functools import partial

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from isthmus.engines.resident import ForEmbedding
from isthmus.generator import Embeddings
from isthmus.server.answering import ignoring
from isthmus.server.body import read_body
from isthmus.server.exchange import exchange_of
from isthmus.server.ollama import in_pool
from isthmus.server.operation import Operation
from isthmus.server.state import served
from isthmus.server.streaming import unless_gone
from isthmus.wire.decoding import BodyDecoder
from isthmus.wire.ollama_body import EmbedBody, EmbeddingsBody, Seconds, seconds
from isthmus.wire.ollama_models import Embedded, EmbeddedOne

_EMBED = BodyDecoder(EmbedBody, {})
_EMBEDDINGS = BodyDecoder(EmbeddingsBody, {})


@Operation(
    "Turn texts into vectors",
    tag="Ollama",
    body=EmbedBody,
    example={"input": ["Why is the sky blue?"]},
    answer=Embedded,
)
async def embed(request: Request) -> Response:
    """Turn texts into vectors of unit length.

    A text that is longer than the model's context is refused, never cut; ``truncate`` has no effect.
    """
    began = time.perf_counter()
    body = await read_body(request)
    asked = _EMBED.decode(body)
    texts = [asked.input] if isinstance(asked.input, str) else list(asked.input or ())
    found = await _vectors(request, asked.model, texts, asked.keep_alive)
    answer = Embedded(
        model=asked.model or served(request).models.default,
        embeddings=[_shortened(vector, asked.dimensions) for vector in found.vectors],
        total_duration=round((time.perf_counter() - began) * 1e9),
        load_duration=0,
        prompt_eval_count=found.prompt_tokens,
    )
    return _json(answer, _EMBED.unknown(body))


@Operation(
    "Turn a text into a vector",
    tag="Ollama",
    body=EmbeddingsBody,
    example={"prompt": "Why?"},
    answer=EmbeddedOne,
)
async def embed_one(request: Request) -> Response:
    """Turn a text into a vector of unit length."""
    body = await read_body(request)
    asked = _EMBEDDINGS.decode(body)
    found = await _vectors(request, asked.model, [asked.prompt] if asked.prompt else [], asked.keep_alive)
    vector = list(found.vectors[0]) if found.vectors else []
    return _json(EmbeddedOne(vector), _EMBEDDINGS.unknown(body))


async def _vectors(
    request: Request, name: str | None, texts: Sequence[str], keep_alive: Seconds | None
) -> Embeddings:
    """The vectors of some texts; without any, the model is loaded all the same, as Ollama does it."""
    models = served(request).models
    keep_alive_s = seconds(keep_alive, "keep_alive")
    embedder = models.embedder(name, key=request.state.key)
    found = await unless_gone(request, partial(embedder.embed, texts))
    exchange_of(request).spend(found.prompt_tokens)
    if keep_alive_s is not None and (weights := in_pool(models, name)) is not None:
        models.pool.keep(ForEmbedding(weights), keep_alive_s)
    return found


def _json(answer: Embedded | EmbeddedOne, ignored: Sequence[str]) -> Response:
    body = msgspec.json.encode(answer)
    return Response(body, media_type="application/json", headers=ignoring(ignored))


def _shortened(vector: Sequence[float], dimensions: int | None) -> list[float]:
    """The first dimensions of a vector, at unit length again: what models trained for that are cut to."""
    if dimensions is None or dimensions >= len(vector):
        return list(vector)
    kept = vector[:dimensions]
    length = math.sqrt(sum(number * number for number in kept)) or 1.0
    return [number / length for number in kept]
