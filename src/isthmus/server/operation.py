"""What a route says of itself, beside its handler; the OpenAPI document is made of it."""

from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeAlias

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]
Tag: TypeAlias = Literal["OpenAI", "Anthropic", "Ollama", "llama.cpp", "Models", "Hand-off", "Service"]
Shape: TypeAlias = Any
"""A type that msgspec can describe: a Struct, a union of them, a list, a str."""


class Parameter(Struct, frozen=True):
    """One parameter of a query."""

    name: str
    description: str
    type: Shape = str


class Operation(Struct, frozen=True):
    """One method of one path, as programs may use it; it decorates its handler.

    What the handler's docstring says, but for its exceptions, is the description.
    """

    summary: str
    tag: Tag = "Service"
    body: Shape = None
    """What it takes; None: nothing."""
    example: dict[str, Any] | None = None
    """A body that works as it stands."""
    answer: Shape = None
    """What it gives as JSON; None: no JSON."""
    text: str | None = None
    """The media type of an answer that isn't JSON."""
    pieces: Shape = None
    """What a streamed answer is made of; None: nothing is streamed."""
    stream: Literal["text/event-stream", "application/x-ndjson"] = "text/event-stream"
    query: tuple[Parameter, ...] = ()
    open: bool = False
    """It tells nothing, so it takes no key even where keys exist."""

    def __call__(self, handler: Handler) -> "Endpoint":
        """Describe a handler."""
        return Endpoint(handler, self)


class Endpoint:
    """A handler that says what it does; to the application it is a handler like any other."""

    def __init__(self, handler: Handler, operation: Operation) -> None:
        self._handler = handler
        self.operation = operation
        self.name = getattr(handler, "__name__", "")
        self.description = handler.__doc__ or ""

    def __call__(self, request: Request) -> Awaitable[Response]:
        """Answer a request."""
        return self._handler(request)
