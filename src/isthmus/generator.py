"""The one interface: everything that continues a conversation is a `Generator`."""

from collections.abc import AsyncGenerator
from typing import Protocol, TypeAlias, runtime_checkable

from isthmus.messages import Event, GenerationRequest, ModelInfo

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
