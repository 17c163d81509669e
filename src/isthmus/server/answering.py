"""An answer on its way to a client, whatever the API: begun, gathered whole, or streamed.

An API parses a request into a `Call`, begins its answer with `begin`, and renders either the `Completion`
that `whole` gathers or the events that `streamed` passes to its renderer.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Protocol, TypeAlias, TypeVar, get_args

import msgspec
from msgspec import Struct
from starlette.requests import Request

from isthmus.errors import DeadlinePassed, RequestError, ScopeMissing
from isthmus.generator import EventStream
from isthmus.handoff.rules import stricter
from isthmus.ledger import Caps
from isthmus.messages import Event, GenerationRequest, HandoffMode, Notice, Route
from isthmus.runtime.answer import Ask
from isthmus.server.exchange import Exchange, exchange_of
from isthmus.server.state import served
from isthmus.server.streaming import EventStreamResponse, unless_gone, wait_unless_gone
from isthmus.wire.attribution import without_attribution
from isthmus.wire.call import Call
from isthmus.wire.gathered import Completion

INTERNAL = "x-isthmus-internal"
"""Sent by the same person's `isthmus ask`, which decides and records by itself: just answer from home."""

HOME_ONLY = "x-isthmus-home-only"
"""Sent with a request whose conversation, and all that is made of it, is to stay home."""
HANDOFF = "x-isthmus-handoff"
"""Sent with a request to ask for a hand-off mode, as the body's field does; the stricter counts."""
_SAID = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": False}

C = TypeVar("C", bound=Call)


def heeding(request: Request, call: C) -> C:
    """The call with the mark that came in the request's header, if one did.

    Raises:
        RequestError: What came is neither yes nor no.
    """
    said = request.headers.get(HOME_ONLY, "").strip().lower()
    if said not in _SAID:
        raise RequestError(f"{HOME_ONLY}: {said[:50]!r} is neither true nor false", param=HOME_ONLY)
    if not _SAID[said] or call.request.home_only:
        return call
    return msgspec.structs.replace(call, request=msgspec.structs.replace(call.request, home_only=True))


def _mode(request: Request, call: Call) -> HandoffMode | None:
    """The mode that the request asks for, in its body or its header.

    Raises:
        RequestError: There is no such mode.
    """
    if (said := request.headers.get(HANDOFF)) is None:
        return call.handoff
    try:
        asked = msgspec.convert(said.strip().lower(), HandoffMode)
    except msgspec.ValidationError as error:
        known = ", ".join(get_args(HandoffMode))
        raise RequestError(f"{HANDOFF}: {said[:50]!r} is not one of {known}", param=HANDOFF) from error
    return asked if call.handoff is None else stricter(asked, call.handoff)


def begin(request: Request, call: Call) -> EventStream:
    """The events of an answer, which begins when the first is asked for.

    Raises:
        UnknownModel: There is no such model.
        RequestError: It holds more messages than the settings allow.
        ScopeMissing: It has a grammar, and its key may only ask.
    """
    service, call = served(request), heeding(request, call)
    state, exchange = request.scope["state"], exchange_of(request)
    own = bool(state["own"]) and INTERNAL in request.headers
    if (count := len(call.request.messages)) > service.settings.max_messages:
        raise RequestError(
            f"{count} messages are more than the {service.settings.max_messages} that one request may hold",
            hint="raise server.max_messages",
            param="messages",
        )
    if own:
        runtime = service.bare(call.model, exchange)
    else:
        runtime = service.runtime(call.model, state["key"], exchange)
    if call.request.grammar is not None:
        _check_trust(exchange)
    ask = Ask(
        _for_a_model(call.request),
        "api",
        key=state["key"],
        key_caps=exchange.key.caps if exchange.key else Caps(),
        handoff=_mode(request, call),
        careful=call.whole,
    )
    timeout_s = service.settings.request_timeout_s
    events = runtime.answer(ask)
    return within(events, timeout_s) if timeout_s else events


def _for_a_model(asked: GenerationRequest) -> GenerationRequest:
    """The request without what says nothing to a model; the same one where there is nothing of it."""
    messages = without_attribution(asked.messages)
    return asked if messages is asked.messages else msgspec.structs.replace(asked, messages=messages)


def _check_trust(exchange: Exchange) -> None:
    """Whether a grammar may come with this key.

    A few lines of grammar can hang a worker, which costs all others their answers, and no bound on their size
    prevents it. So they are for those who might as well unload the model.
    """
    if exchange.key is not None and "manage" not in exchange.key.scopes:
        raise ScopeMissing(
            f"the key {exchange.key.name!r} may send no grammar, which could keep a model from all others",
            hint="send response_format, or isthmus key create NAME --scope infer --scope manage",
            param="grammar",
        )


async def within(events: EventStream, timeout_s: float) -> EventStream:
    """An answer that must be whole within a time.

    Raises:
        DeadlinePassed: It isn't.
    """
    deadline = asyncio.get_running_loop().time() + timeout_s
    async with aclosing(events):
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    event = await anext(events)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                raise DeadlinePassed(
                    f"the answer was not whole after {timeout_s:g} s", hint="raise server.request_timeout_s"
                ) from error
            yield event


class Gatherer(Protocol):
    """What makes a whole answer of its events."""

    def add(self, event: Event, /) -> None:
        """Take one event."""
        ...


G = TypeVar("G", bound=Gatherer)


async def whole(request: Request, events: EventStream) -> Completion:
    """The whole answer, unless the client hangs up before.

    Raises:
        ClientGone: It did.
    """
    return await gathered(request, events, Completion())


async def gathered(request: Request, events: EventStream, gatherer: G) -> G:
    """The same, gathered by an API's own gatherer."""
    return await unless_gone(request, partial(gather, events, gatherer))


async def gather(events: EventStream, gatherer: G) -> G:
    """The same, whether its client is there or not."""
    async with aclosing(events):
        async for event in events:
            gatherer.add(event)
    return gatherer


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
    request: Request,
    call: Call,
    events: EventStream,
    render: Renderer,
    *,
    ping: bytes,
    media_type: str = "text/event-stream",
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
        media_type: Of streams that aren't server-sent events.

    Raises:
        ClientGone: The client hung up.
        IsthmusError: Nobody can answer.
    """
    quiet_s = served(request).ping_s
    opening = asyncio.ensure_future(_beginning(events))
    try:
        await wait_unless_gone(request, opening, timeout_s=quiet_s)
        route = opening.result().route if opening.done() else None
    except BaseException:
        await _abandon(opening, events)
        raise
    pieces = _closing(render(opening), opening, events)
    said = headers(route, call)
    return EventStreamResponse(pieces, said, ping=ping, quiet_s=quiet_s, media_type=media_type)


def headers(route: Route | None, call: Call) -> dict[str, str]:
    """What every answer says of itself: who gives it, and what of the request had no effect."""
    said: dict[str, str] = {}
    if route is not None:
        said["x-isthmus-route"] = route.decision.target
        said["x-isthmus-reason"] = route.decision.reason
        if route.consent_id is not None:
            said["x-isthmus-consent-id"] = route.consent_id
    return said | ignoring(call.ignored)


def ignoring(parameters: Sequence[str]) -> dict[str, str]:
    """The header that lists parameters which had no effect, where there are some."""
    if not parameters:
        return {}
    names = ", ".join(parameters)[:1000]
    return {"x-isthmus-ignored-parameters": names.encode("unicode_escape").decode()}


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
    if not opening.done():
        opening.cancel()
        await asyncio.wait((opening,))
    await events.aclose()
