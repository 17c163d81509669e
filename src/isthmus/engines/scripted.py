"""A generator that says what it was told to: the seam at which tests are exact."""

import asyncio
import math
from collections.abc import Iterable, Sequence

from isthmus.generator import EventStream
from isthmus.messages import Embeddings, Event, GenerationRequest, ModelInfo


class ScriptedEngine:
    """Plays one script for each call: events are yielded, exceptions raised, numbers waited (seconds).

    ``requests`` keeps what was asked; ``closed`` counts the streams that ended, however they did.
    """

    def __init__(self, *scripts: Iterable[Event | Exception | float], model: ModelInfo | None = None) -> None:
        self._scripts = [list(script) for script in scripts]
        self._info = model or ModelInfo("scripted", local=True, context_length=4096)
        self.requests: list[GenerationRequest] = []
        self.closed = 0
        self.tokenizer = ScriptedTokenizer()
        self.embedder = ScriptedEmbedder()

    @property
    def model(self) -> ModelInfo:
        """The model that it plays."""
        return self._info

    async def stream(self, request: GenerationRequest) -> EventStream:
        """Play the next script; the last one is played again and again."""
        script = self._scripts[min(len(self.requests), len(self._scripts) - 1)]
        self.requests.append(request)
        try:
            for step in script:
                if isinstance(step, Exception):
                    raise step
                if isinstance(step, float | int):
                    await asyncio.sleep(step)
                else:
                    yield step
        finally:
            self.closed += 1

    async def close(self) -> None:
        """Nothing is held."""


class ScriptedTokenizer:
    """A `Tokenizer` whose tokens are bytes; 256 stands at the beginning of a text."""

    async def count(self, request: GenerationRequest) -> int:
        """The bytes of the prompt, and its beginning."""
        if isinstance(request.raw, tuple):
            return len(request.raw)
        return len(await self.tokenize(await self.render(request), add_special=True))

    async def tokenize(self, text: str, *, special: bool = False, add_special: bool = False) -> list[int]:
        """A text's bytes."""
        return [256] * add_special + list(text.encode())

    async def pieces(self, tokens: Sequence[int]) -> list[bytes]:
        """The bytes that some tokens stand for."""
        return [bytes([each]) if each < 256 else b"" for each in tokens]

    async def detokenize(self, tokens: Sequence[int]) -> str:
        """The text of some tokens."""
        return b"".join(await self.pieces(tokens)).decode(errors="replace")

    async def render(self, request: GenerationRequest) -> str:
        """Each message on a line of its own; a raw prompt as it is."""
        if isinstance(request.raw, str):
            return request.raw
        if request.raw is not None:
            return await self.detokenize(request.raw)
        return "".join(f"{message.role}: {message.text}\n" for message in request.messages)


class ScriptedEmbedder:
    """An `Embedder` of two dimensions: how far a vector is turned comes from the text's bytes."""

    async def embed(self, texts: Sequence[str | Sequence[int]]) -> Embeddings:
        """A vector for each text."""
        cut = [tuple(text.encode()) if isinstance(text, str) else tuple(text) for text in texts]
        angles = (sum(place * token for place, token in enumerate(tokens, 1)) for tokens in cut)
        vectors = tuple((math.cos(angle), math.sin(angle)) for angle in angles)
        return Embeddings(vectors, sum(map(len, cut)))
