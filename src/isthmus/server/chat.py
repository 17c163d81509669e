"""``POST /v1/chat/completions``."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from uuid import uuid4

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from isthmus.errors import IsthmusError, RequestTooLarge
from isthmus.generator import EventStream
from isthmus.messages import Event, Finish, Notice, Route
from isthmus.runtime.answer import Ask
from isthmus.server import failures
from isthmus.server.state import served
from isthmus.server.streaming import EventStreamResponse, unless_gone
from isthmus.wire import sse
from isthmus.wire.chat_request import ChatCall, parse_chat
from isthmus.wire.chat_writer import ChunkWriter, Completion

INTERNAL = "x-isthmus-internal"
"""Sent by the same person's `isthmus ask`, which decides and records by itself: just answer from home."""


async def chat_completions(request: Request) -> Response:
    """Answer a conversation, streamed or whole."""
    service = served(request)
    call = parse_chat(await _body(request, service.max_body_bytes))
    own = bool(request.state.own) and INTERNAL in request.headers
    runtime = service.bare(call.model) if own else service.runtime(call.model, request.state.key)
    ask = Ask(call.request, "api", key=request.state.key, handoff=call.handoff, careful=not call.stream)
    events = runtime.answer(ask)
    if call.stream:
        return await _streamed(request, call, events)
    return await _whole(request, call, events)


async def _whole(request: Request, call: ChatCall, events: EventStream) -> Response:
    async def gather() -> Completion:
        completion = Completion()
        async with aclosing(events):
            async for event in events:
                completion.add(event)
        return completion

    completion = await unless_gone(request, gather)
    route = completion.route
    body = completion.render(
        _new_id(),
        route.model if route else "",
        int(time.time()),
        logprobs=call.request.top_logprobs is not None,
    )
    return Response(body, media_type="application/json", headers=_headers(route, call))


class _Beginning(Struct):
    """What came before the first visible event, and that event."""

    route: Route | None
    notices: list[Notice]
    first: Event | None


async def _streamed(request: Request, call: ChatCall, events: EventStream) -> Response:
    # The status line waits for the first visible event, so that what fails before it is an HTTP error.
    async def begin() -> _Beginning:
        beginning = _Beginning(None, [], None)
        async for event in events:
            if isinstance(event, Route):
                beginning.route = event
            elif isinstance(event, Notice):
                beginning.notices.append(event)
            else:
                beginning.first = event
                break
        return beginning

    try:
        beginning = await unless_gone(request, begin)
    except BaseException:
        await events.aclose()
        raise
    return EventStreamResponse(_chunks(call, beginning, events), _headers(beginning.route, call))


async def _chunks(call: ChatCall, beginning: _Beginning, events: EventStream) -> AsyncGenerator[bytes, None]:
    route = beginning.route
    model = route.model if route else ""
    writer = ChunkWriter(_new_id(), model, int(time.time()), include_usage=call.include_usage)
    async with aclosing(events):
        yield sse.data(writer.open(route, call.request.n))
        for event in (*beginning.notices, beginning.first):
            if event is not None and (chunk := writer.render(event)):
                yield sse.data(chunk)
        last = beginning.first if isinstance(beginning.first, Finish) else None
        try:
            async for event in events:
                if isinstance(event, Finish):
                    last = event
                if chunk := writer.render(event):
                    yield sse.data(chunk)
        except IsthmusError as error:
            # No [DONE] and no finish_reason: a cut answer must not look whole.
            yield sse.data(failures.error_body(error))
            return
        if last is not None and (chunk := writer.close(last, route)):
            yield sse.data(chunk)
        yield sse.data(sse.DONE)


def _headers(route: Route | None, call: ChatCall) -> dict[str, str]:
    headers: dict[str, str] = {}
    if route is not None:
        headers["x-isthmus-route"] = route.decision.target
        headers["x-isthmus-reason"] = route.decision.reason
    if call.ignored:
        names = ", ".join(call.ignored)[:1000]
        headers["x-isthmus-ignored-parameters"] = names.encode("ascii", "backslashreplace").decode()
    return headers


async def _body(request: Request, limit: int) -> bytes:
    """The request's body, read up to a limit."""
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > limit:
            raise RequestTooLarge(
                f"the body is larger than {limit // 2**20} MiB", hint="raise server.max_body_mb"
            )
        pieces.append(piece)
    return b"".join(pieces)


def _new_id() -> str:
    return f"chatcmpl-{uuid4().hex}"
