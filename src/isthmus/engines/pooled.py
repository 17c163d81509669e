"""What a pool's models do beside answering, as the holder of one key sees it: tokens and vectors."""

import asyncio
from collections.abc import Sequence

from isthmus.engines.pool import Pool
from isthmus.engines.resident import ForEmbedding, Loadable, Weights
from isthmus.messages import Embeddings, GenerationRequest


class PooledTokenizer:
    """A `Tokenizer`: a model of a pool, which is loaded if need be and stays so meanwhile.

    It takes no slot of a model that is loaded already. All methods raise what `Pool.acquire` and the engine
    do.
    """

    def __init__(self, pool: Pool, weights: Loadable, key: str | None = None) -> None:
        self._pool = pool
        self._weights: Loadable = weights
        self._key = key

    async def count(self, request: GenerationRequest) -> int:
        """The tokens of a request's prompt, template and tools included."""
        async with self._pool.held(self._weights, self._key) as engine:
            return await engine.tokenizer.count(request)

    async def tokenize(self, text: str, *, special: bool = False, add_special: bool = False) -> list[int]:
        """A text's tokens."""
        async with self._pool.held(self._weights, self._key) as engine:
            return await engine.tokenizer.tokenize(text, special=special, add_special=add_special)

    async def pieces(self, tokens: Sequence[int]) -> list[bytes]:
        """What each of some tokens stands for."""
        async with self._pool.held(self._weights, self._key) as engine:
            return await engine.tokenizer.pieces(tokens)

    async def detokenize(self, tokens: Sequence[int]) -> str:
        """The text of some tokens."""
        async with self._pool.held(self._weights, self._key) as engine:
            return await engine.tokenizer.detokenize(tokens)

    async def render(self, request: GenerationRequest) -> str:
        """The prompt of a request as the model reads it."""
        async with self._pool.held(self._weights, self._key) as engine:
            return await engine.tokenizer.render(request)


class PooledEmbedder:
    """An `Embedder`: a model of a pool, loaded for embedding, in a worker of its own."""

    def __init__(self, pool: Pool, weights: Weights, key: str | None = None) -> None:
        self._pool = pool
        self._weights = ForEmbedding(weights)
        self._key = key

    async def embed(self, texts: Sequence[str | Sequence[int]]) -> Embeddings:
        """Wait for a slot, then give the vectors of some texts.

        Raises:
            IsthmusError: As `Pool.acquire`, and as the engine.
        """
        ticket, engine = await self._pool.acquire(self._weights, self._key)
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            return await engine.embedder.embed(texts)
        finally:
            self._pool.release(ticket, clock() - began)
