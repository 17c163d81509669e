"""An answer on its way to a client, whatever the API: begun, gathered whole, or streamed.

An API parses a request into a `Call`, begins its answer with `begin`, and renders either the `Completion`
that `whole` gathers or the events that `streamed` passes to its renderer.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TypeAlias

from msgspec import Struct
from starlette.requests import Request

from isthmus.generator import EventStream
from isthmus.messages import Event, Notice, Route
from isthmus.runtime.answer import Ask
from isthmus.server.state import served
from isthmus.server.streaming import EventStreamResponse, unless_gone
from isthmus.wire.call import Call
from isthmus.wire.gathered import Completion

INTERNAL = "x-isthmus-internal"
"""Sent by the same person's `isthmus ask`, which decides and records by itself: just answer from home."""


def begin(request: Request, call: Call) -> EventStream:
    """The events of an answer, which begins when the first is asked for.

    Raises:
        UnknownModel: There is no such model.
    """
    service = served(request)
    own = bool(request.state.own) and INTERNAL in request.headers
    runtime = service.bare(call.model) if own else service.runtime(call.model, request.state.key)
    ask = Ask(call.request, "api", key=request.state.key, handoff=call.handoff, careful=not call.stream)
    return runtime.answer(ask)


async def whole(request: Request, events: EventStream) -> Completion:
    """The whole answer, unless the client hangs up before.

    Raises:
        ClientGone: It did.
    """

    async def gather() -> Completion:
        completion = Completion()
        async with aclosing(events):
            async for event in events:
                completion.add(event)
        return completion

    return await unless_gone(request, gather)


class Beginning(Struct):
    """What came before the first visible event, and that event; None if there is none."""

    route: Route | None
    notices: list[Notice]
    first: Event | None


Opening: TypeAlias = asyncio.Future[Beginning]
"""An answer's beginning, which may yet fail, as an answer may that keeps its client waiting."""

Renderer: TypeAlias = Callable[[Opening], AsyncGenerator[bytes, None]]
"""Turns an answer into the pieces of an API's stream.

It awaits the beginning, then goes on with the events, and ends the stream in its API's words if either
raises an `IsthmusError`.
"""


async def streamed(
    request: Request, call: Call, events: EventStream, render: Renderer, *, ping: bytes
) -> EventStreamResponse:
    """The response that streams an answer.

    Its status line waits for the first visible event, so that what fails before it is an HTTP error; but no
    longer than the settings allow, since clients and proxies give up on a silent server. From then on
    silence is filled with pings.

    Args:
        request: The HTTP request.
        call: What it asks for.
        events: The answer.
        render: Turns it into pieces.
        ping: The piece that says nothing.

    Raises:
        ClientGone: The client hung up.
        IsthmusError: Nobody can answer.
    """
    quiet_s = served(request).ping_s
    opening = asyncio.ensure_future(_beginning(events))
    try:
        await unless_gone(request, lambda: asyncio.wait((opening,), timeout=quiet_s))
        route = opening.result().route if opening.done() else None
    except BaseException:
        await _abandon(opening, events)
        raise
    pieces = _closing(render(opening), opening, events)
    return EventStreamResponse(pieces, headers(route, call), ping=ping, quiet_s=quiet_s)


def headers(route: Route | None, call: Call) -> dict[str, str]:
    """What every answer says of itself: who gives it, and what of the request had no effect."""
    said: dict[str, str] = {}
    if route is not None:
        said["x-isthmus-route"] = route.decision.target
        said["x-isthmus-reason"] = route.decision.reason
    if call.ignored:
        names = ", ".join(call.ignored)[:1000]
        said["x-isthmus-ignored-parameters"] = names.encode("ascii", "backslashreplace").decode()
    return said


async def _beginning(events: EventStream) -> Beginning:
    beginning = Beginning(None, [], None)
    async for event in events:
        if isinstance(event, Route):
            beginning.route = event
        elif isinstance(event, Notice):
            beginning.notices.append(event)
        else:
            beginning.first = event
            break
    return beginning


async def _closing(
    pieces: AsyncGenerator[bytes, None], opening: Opening, events: EventStream
) -> AsyncGenerator[bytes, None]:
    try:
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece
    finally:
        await _abandon(opening, events)


async def _abandon(opening: Opening, events: EventStream) -> None:
    """Stop the work behind an answer, wherever it stands."""
    opening.cancel()
    await asyncio.wait((opening,))
    await events.aclose()
