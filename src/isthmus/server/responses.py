"""OpenAI's Responses: ``/v1/responses``, made, fetched, followed, cancelled, deleted."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from functools import partial
from typing import Any

import anyio.to_thread
import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from isthmus.errors import IsthmusError, RequestError
from isthmus.generator import EventStream
from isthmus.ledger import KeptResponse, Responses
from isthmus.server.answering import Opening, begin, gathered, headers, heeding, streamed
from isthmus.server.background import Job, Keep
from isthmus.server.body import as_json, read_body
from isthmus.server.exchange import exchange_of
from isthmus.server.operation import Operation, Parameter
from isthmus.server.state import Served, served
from isthmus.server.streaming import EventStreamResponse, unless_gone
from isthmus.wire import sse
from isthmus.wire.attribution import without_attribution
from isthmus.wire.responses_answer import (
    DeletedResponse,
    InputTokens,
    ItemPage,
    ResponseEvent,
    ResponseObject,
)
from isthmus.wire.responses_items import Item, marked
from isthmus.wire.responses_request import (
    Asked,
    ResponsesCall,
    ResponsesRequest,
    parse_responses,
    stays_home,
)
from isthmus.wire.responses_writer import ResponseWriter

_STILL_S = 60.0
"""How often a stream that waits says so by an event: agents that count events alone give up after minutes."""
_MAX_ITEMS = 100
_END = sse.data(sse.DONE)
"""The end of a stream. OpenAI's have none, Open Responses asks for it, and clients take both."""

_EXAMPLE: dict[str, Any] = {"input": "Why is the sky blue?", "stream": True}


class _Standing(Struct):
    """What is looked at of a response that was kept."""

    status: str
    background: bool


# ---------------------------------------------------------------- made


@Operation(
    "Make a response",
    tag="OpenAI",
    body=ResponsesRequest,
    example=_EXAMPLE,
    answer=ResponseObject,
    pieces=ResponseEvent,
)
async def create_response(request: Request) -> Response:
    """Answer a conversation, streamed, whole, or in the background."""
    service, key = served(request), request.state.key
    asked = parse_responses(await read_body(request), keeps=service.responses.days > 0)
    call = heeding(request, await composed(asked, service, key))
    writer = ResponseWriter(call, call.model or service.models.default)
    keep = partial(_keep, service.responses, key, call, writer)
    events = begin(request, call)
    if call.background:
        return await _leave(request, call, writer, events, keep)
    if call.stream:
        return await streamed(request, call, events, partial(_pieces, writer, events, keep), ping=sse.PING)
    await gathered(request, events, writer)
    writer.close()
    await keep()
    return _json(writer.body(), headers(writer.route, call))


@Operation(
    "Count a response's input", tag="OpenAI", body=ResponsesRequest, example=_EXAMPLE, answer=InputTokens
)
async def input_tokens(request: Request) -> Response:
    """Say how many tokens a prompt has, template and tools included, without answering it."""
    service, key = served(request), request.state.key
    asked = parse_responses(await read_body(request), keeps=service.responses.days > 0)
    call = await composed(asked, service, key)
    tokenizer = service.models.tokenizer(call.model, key=key)
    prompt = msgspec.structs.replace(call.request, messages=without_attribution(call.request.messages))
    tokens = await unless_gone(request, partial(tokenizer.count, prompt))
    counted = InputTokens("response.input_tokens", tokens)
    return _json(msgspec.json.encode(counted), headers(None, call))


async def composed(asked: Asked, service: Served, key: str | None) -> ResponsesCall:
    """The request with the conversation that it continues and the items that it refers to.

    Raises:
        NotFound: There is no such response or item, or it is somebody else's.
        RequestError: The response is still being made, or what it all comes to can't be answered.
    """
    kept, previous = service.responses, asked.given.previous_response_id
    job = None if previous is None else service.background.find(previous, key)
    if job is not None and not job.over.is_set():
        raise RequestError(
            f"the response {previous!r} is still being made, so it can't be continued",
            hint="wait until its status is completed",
            param="previous_response_id",
        )

    def look_up() -> tuple[list[Item], list[Item]]:
        history = [] if previous is None else kept.conversation(previous, key)
        items = [
            kept.item(item["id"], key) if item["type"] == "item_reference" else item for item in asked.items
        ]
        return history, items

    if not asked.refers:
        return asked.call([], asked.items)
    return asked.call(*await anyio.to_thread.run_sync(look_up))


async def _keep(kept: Responses, key: str | None, call: ResponsesCall, writer: ResponseWriter) -> None:
    """Keep a response as it stands, unless the request says no."""
    if not call.store:
        return
    stays = stays_home(call, writer.route)
    response = KeptResponse(
        id=writer.id,
        key=key,
        previous_id=call.previous_id,
        body=writer.body(),
        input=marked(call.items) if stays else call.items,
        output=marked(writer.output) if stays else writer.output,
    )
    await anyio.to_thread.run_sync(kept.keep, response)


async def _pieces(
    writer: ResponseWriter, events: EventStream, keep: Keep, opening: Opening
) -> AsyncGenerator[bytes, None]:
    try:
        if not opening.done():
            yield b"".join((*writer.open(), writer.progress()))
            while not (await asyncio.wait((opening,), timeout=_STILL_S))[0]:
                yield writer.progress()
            beginning = await opening
            if beginning.route is not None:
                writer.render(beginning.route)
        else:
            beginning = await opening
            yield b"".join((*writer.open(beginning.route), writer.progress()))
        for event in (*beginning.notices, beginning.first):
            if event is not None and (told := writer.render(event)):
                yield b"".join(told)
        async for event in events:
            if told := writer.render(event):
                yield told[0] if len(told) == 1 else b"".join(told)
        told = writer.close()
        # Before its client hears that it is complete, and goes on from it.
        await keep()
        yield b"".join((*told, _END))
    except IsthmusError as error:
        told = writer.fail(error)
        with suppress(IsthmusError):  # of what went wrong its client hears the first
            await keep()
        yield b"".join((*told, _END))


# ---------------------------------------------------------------- in the background


async def _leave(
    request: Request, call: ResponsesCall, writer: ResponseWriter, events: EventStream, keep: Keep
) -> Response:
    """Leave a response to the background; its client may follow it at once."""
    service, exchange = served(request), exchange_of(request)
    job = Job(writer, request.state.key, followed=call.stream)
    job.tell(writer.open())
    await keep()
    # The request ends at once; what its key was granted is settled when the answer has.
    admission, exchange.admission = exchange.admission, None

    async def work() -> None:
        service.enter()
        try:
            await job.work(events, keep)
        finally:
            service.leave()
            if admission is not None:
                admission.settle(exchange.tokens)

    service.background.start(job, work)
    said = headers(None, call)
    return _followed(request, job, -1, said) if call.stream else _json(writer.body(), said)


def _followed(request: Request, job: Job, after: int, said: dict[str, str]) -> Response:
    pieces = _to_its_end(job.follow(after))
    return EventStreamResponse(pieces, said, ping=sse.PING, quiet_s=served(request).ping_s)


async def _to_its_end(pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(pieces):
        async for piece in pieces:
            yield piece
    yield _END


# ---------------------------------------------------------------- kept


@Operation(
    "Fetch a response",
    tag="OpenAI",
    answer=ResponseObject,
    pieces=ResponseEvent,
    query=(
        Parameter("stream", "Whether to follow a response that is streamed in the background.", bool),
        Parameter("starting_after", "The number of the last event that is known already.", int),
    ),
)
async def get_response(request: Request) -> Response:
    """Give a response that is kept, or follow one in the background."""
    id_, key = request.path_params["response"], request.state.key
    job = served(request).background.find(id_, key)
    if request.query_params.get("stream", "").lower() in ("true", "1"):
        after = _number(request, "starting_after", -1, at_least=0)
        if job is not None and job.followed:
            return _followed(request, job, after, {})
        await _body(request)
        raise RequestError(
            "there is no stream to follow: one is kept of a response in the background, for a while",
            hint="fetch it without stream",
            param="stream",
        )
    return _json(await _body(request))


@Operation("Delete a response", tag="OpenAI", answer=DeletedResponse)
async def delete_response(request: Request) -> Response:
    """Delete a response for good; one in the background is cancelled first."""
    service, id_, key = served(request), request.path_params["response"], request.state.key
    if (job := service.background.find(id_, key)) is not None:
        await _cancelled(job)
        service.background.forget(id_)
    await anyio.to_thread.run_sync(service.responses.forget, id_, key)
    return as_json(DeletedResponse(id_, "response", deleted=True))


@Operation("Cancel a response", tag="OpenAI", answer=ResponseObject)
async def cancel_response(request: Request) -> Response:
    """Stop a response in the background; one that is over stays as it is."""
    job = served(request).background.find(request.path_params["response"], request.state.key)
    if job is not None:
        await _cancelled(job)
    body = await _body(request)
    if not msgspec.json.decode(body, type=_Standing).background:
        raise RequestError(
            "only a response in the background can be cancelled",
            hint="close its connection",
            param="response_id",
        )
    return _json(body)


@Operation(
    "List a response's input",
    tag="OpenAI",
    answer=ItemPage,
    query=(
        Parameter("limit", f"How many items: 1 to {_MAX_ITEMS}, 20 by default.", int),
        Parameter("order", "asc, or desc as by default: the newest first."),
        Parameter("after", "The id of the item after which to go on."),
    ),
)
async def list_input_items(request: Request) -> Response:
    """List the items that a response was made from, the conversation before it included."""
    kept, id_ = served(request).responses, request.path_params["response"]
    limit = _number(request, "limit", 20, at_least=1, at_most=_MAX_ITEMS)
    order = request.query_params.get("order", "desc")
    if order not in ("asc", "desc"):
        raise RequestError(f"order: {order!r} is not one of asc, desc", param="order")
    items = await anyio.to_thread.run_sync(kept.input, id_, request.state.key)
    if order == "desc":
        items.reverse()
    if (after := request.query_params.get("after")) is not None:
        places = [place for place, item in enumerate(items) if item["id"] == after]
        if not places:
            raise RequestError(f"after: there is no item {after!r}", param="after")
        items = items[places[0] + 1 :]
    page = items[:limit]
    first, last = (page[0]["id"], page[-1]["id"]) if page else (None, None)
    return as_json(ItemPage("list", page, first, last, has_more=len(items) > limit))


async def _body(request: Request) -> bytes:
    """The response that a path names, as it stands now.

    Raises:
        NotFound: There is none, or it is somebody else's.
    """
    service, id_, key = served(request), request.path_params["response"], request.state.key
    if (job := service.background.find(id_, key)) is not None:
        return job.writer.body()
    body = await anyio.to_thread.run_sync(service.responses.body, id_, key)
    if msgspec.json.decode(body, type=_Standing).status not in ("queued", "in_progress"):
        return body
    # Whoever worked on it is gone, and nobody goes on with it.
    error = {"code": "server_error", "message": "the server ended before the answer was whole"}
    return msgspec.json.encode(msgspec.json.decode(body) | {"status": "failed", "error": error})


async def _cancelled(job: Job) -> None:
    job.scope.cancel()
    await job.over.wait()


def _number(request: Request, name: str, default: int, *, at_least: int, at_most: int = 2**31) -> int:
    given = request.query_params.get(name)
    if given is None:
        return default
    if given.isascii() and given.isdigit() and at_least <= int(given[:12]) <= at_most:
        return int(given)
    raise RequestError(f"{name}: {given!r} is not a whole number from {at_least} to {at_most}", param=name)


def _json(body: bytes, said: dict[str, str] | None = None) -> Response:
    return Response(body, media_type="application/json", headers=said)
