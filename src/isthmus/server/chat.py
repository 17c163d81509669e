"""``POST /v1/chat/completions``."""

import time
from collections.abc import AsyncGenerator
from functools import partial
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response

from isthmus.errors import IsthmusError
from isthmus.generator import EventStream
from isthmus.messages import Finish
from isthmus.server.answering import Opening, begin, headers, streamed, whole
from isthmus.server.body import read_body
from isthmus.server.failures import error_body
from isthmus.server.operation import Operation
from isthmus.wire import sse
from isthmus.wire.chat_answer import ChatChunk, ChatCompletion
from isthmus.wire.chat_request import REQUEST, ChatCall, parse_chat
from isthmus.wire.chat_writer import ChunkWriter, render_completion


@Operation(
    "Answer a conversation",
    tag="OpenAI",
    body=REQUEST,
    example={"messages": [{"role": "user", "content": "Why is the sky blue?"}], "stream": True},
    answer=ChatCompletion,
    pieces=ChatChunk,
)
async def chat_completions(request: Request) -> Response:
    """Answer a conversation, streamed or whole."""
    call = parse_chat(await read_body(request))
    events = begin(request, call)
    if call.stream:
        return await streamed(request, call, events, partial(_chunks, call, events), ping=sse.PING)
    completion = await whole(request, events)
    route = completion.route
    body = render_completion(
        completion,
        _new_id(),
        route.model if route else "",
        int(time.time()),
        logprobs=call.request.top_logprobs is not None,
    )
    return Response(body, media_type="application/json", headers=headers(route, call))


async def _chunks(call: ChatCall, events: EventStream, opening: Opening) -> AsyncGenerator[bytes, None]:
    try:
        beginning = await opening
        route, last = beginning.route, beginning.first
        writer = ChunkWriter(
            _new_id(), route.model if route else "", int(time.time()), include_usage=call.include_usage
        )
        yield sse.data(writer.open(route, call.request.n))
        for event in (*beginning.notices, beginning.first):
            if event is not None and (chunk := writer.render(event)):
                yield sse.data(chunk)
        async for event in events:
            last = event
            if chunk := writer.render(event):
                yield sse.data(chunk)
    except IsthmusError as error:
        # No [DONE] and no finish_reason: a cut answer must not look whole.
        yield sse.data(error_body(error))
        return
    if isinstance(last, Finish) and (chunk := writer.close(last, route)):
        yield sse.data(chunk)
    yield sse.data(sse.DONE)


def _new_id() -> str:
    return f"chatcmpl-{uuid4().hex}"
