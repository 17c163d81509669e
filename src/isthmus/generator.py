"""The one interface: everything that continues a conversation is a `Generator`.

Beside it stand two small ones: a `Tokenizer` counts and cuts text, an `Embedder` turns it into vectors.
"""

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

from isthmus.messages import Embeddings, Event, GenerationRequest, ModelInfo

EventStream: TypeAlias = AsyncGenerator[Event, None]
"""Events as they come; ``aclose`` stops the work behind them."""


@runtime_checkable
class Generator(Protocol):
    """A model that answers: a llama.cpp worker, a runner on this machine, a hosted model, a script in a test.

    ``stream`` yields events as they come and ends with a `Finish` for every choice; an answer without one
    is not whole. Closing the iterator cancels the work, down to the slot that does it. Errors are raised
    from the iterator: `EngineError` for what runs at home, `ProviderError` for what doesn't, `RequestError`
    where the request itself is at fault.
    """

    @property
    def model(self) -> ModelInfo:
        """What is known of the model; exact once the generator has answered or was opened."""
        ...

    def stream(self, request: GenerationRequest) -> EventStream:
        """Yield the continuation of ``request.messages``."""
        ...

    async def close(self) -> None:
        """Free what the generator holds: connections, processes."""
        ...


class Tokenizer(Protocol):
    """How a local model cuts text into tokens; its worker is loaded if need be.

    Errors are an engine's: `EngineError` and its kin, `RequestError` where the request is at fault.
    """

    async def count(self, request: GenerationRequest) -> int:
        """The tokens of a request's prompt, template and tools included."""
        ...

    async def tokenize(self, text: str, *, special: bool = False, add_special: bool = False) -> list[int]:
        """A text's tokens.

        Args:
            text: The text.
            special: Whether marks in it, such as a template's, count as such or as letters.
            add_special: Whether the marks are added that the model wants around a text.
        """
        ...

    async def pieces(self, tokens: Sequence[int]) -> list[bytes]:
        """What each of some tokens stands for; a character may lie across two."""
        ...

    async def detokenize(self, tokens: Sequence[int]) -> str:
        """The text of some tokens."""
        ...

    async def render(self, request: GenerationRequest) -> str:
        """The prompt of a request as the model reads it, template and tools included."""
        ...


class Embedder(Protocol):
    """A model that turns texts into vectors. Errors are an engine's, as a `Tokenizer`'s."""

    async def embed(self, texts: Sequence[str | Sequence[int]]) -> Embeddings:
        """The vectors of some texts, each given as text or as tokens."""
        ...
