"""``POST /v1/chat/completions``."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from isthmus.messages import Route
from isthmus.server.answering import begin, headers, streamed, whole
from isthmus.server.body import read_body
from isthmus.server.chunked import chunks, stamp
from isthmus.server.operation import Operation
from isthmus.wire import sse
from isthmus.wire.chat_answer import ChatChunk, ChatCompletion
from isthmus.wire.chat_request import REQUEST, parse_chat
from isthmus.wire.chat_writer import ChatChunkWriter, render_completion


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

        def writer(route: Route | None) -> ChatChunkWriter:
            marks = stamp("chatcmpl", route)
            return ChatChunkWriter(marks, choices=call.request.n, include_usage=call.include_usage)

        return await streamed(request, call, events, partial(chunks, events, writer), ping=sse.PING)
    completion = await whole(request, events)
    marks = stamp("chatcmpl", completion.route)
    body = render_completion(completion, marks, logprobs=call.request.top_logprobs is not None)
    return Response(body, media_type="application/json", headers=headers(completion.route, call))
