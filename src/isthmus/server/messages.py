"""Anthropic's Messages: ``POST /v1/messages`` and ``POST /v1/messages/count_tokens``."""

import secrets
from collections.abc import AsyncGenerator
from functools import partial

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from isthmus.errors import IsthmusError
from isthmus.generator import EventStream
from isthmus.messages import Finish
from isthmus.server.answering import Opening, begin, gathered, headers, streamed
from isthmus.server.body import read_body
from isthmus.server.exchange import exchange_of
from isthmus.server.failures import error_body
from isthmus.server.operation import Operation
from isthmus.server.state import served
from isthmus.server.streaming import unless_gone
from isthmus.wire import sse
from isthmus.wire.attribution import without_attribution
from isthmus.wire.messages_answer import MessageAnswer, StreamEvent, TokenCount
from isthmus.wire.messages_request import (
    MessagesCall,
    MessagesRequest,
    PromptRequest,
    parse_count,
    parse_messages,
)
from isthmus.wire.messages_writer import PING, MessageGatherer, MessageWriter

_HI = {"messages": [{"role": "user", "content": "Why is the sky blue?"}]}


@Operation(
    "Answer a conversation",
    tag="Anthropic",
    body=MessagesRequest,
    example={**_HI, "max_tokens": 256, "stream": True},
    answer=MessageAnswer,
    pieces=StreamEvent,
)
async def messages(request: Request) -> Response:
    """Answer a conversation, streamed or whole."""
    _name(request)
    call = parse_messages(await read_body(request))
    events = begin(request, call)
    id_ = secrets.token_hex(16)
    if call.stream:
        return await streamed(request, call, events, partial(_pieces, id_, call, events), ping=PING)
    answer = await gathered(request, events, MessageGatherer(id_, call))
    return Response(answer.render(), media_type="application/json", headers=headers(answer.route, call))


async def _pieces(
    id_: str, call: MessagesCall, events: EventStream, opening: Opening
) -> AsyncGenerator[bytes, None]:
    writer, last = MessageWriter(id_, call), None
    try:
        beginning = await opening
        last = beginning.first
        yield writer.open(beginning.route, beginning.notices)
        if last is not None and (piece := writer.render(last)):
            yield piece
        async for last in events:
            if piece := writer.render(last):
                yield piece
    except IsthmusError as error:
        # No message_stop: a cut answer must not look whole.
        yield sse.event("error", error_body(error, "anthropic"))
        return
    yield writer.close(last if isinstance(last, Finish) else None)


@Operation("Count a prompt's tokens", tag="Anthropic", body=PromptRequest, example=_HI, answer=TokenCount)
async def count_tokens(request: Request) -> Response:
    """Say how many tokens a prompt has, without answering it."""
    _name(request)
    call = parse_count(await read_body(request))
    tokenizer = served(request).models.tokenizer(call.model, key=request.state.key)
    prompt = msgspec.structs.replace(call.request, messages=without_attribution(call.request.messages))
    tokens = await unless_gone(request, partial(tokenizer.count, prompt))
    body = msgspec.json.encode(TokenCount(tokens))
    return Response(body, media_type="application/json", headers=headers(None, call))


def _name(request: Request) -> None:
    """Give the response, an error's too, the header in which Anthropic's clients look for a request's id."""
    exchange = exchange_of(request)
    exchange.headers.append((b"request-id", f"req_{exchange.request_id}".encode()))
