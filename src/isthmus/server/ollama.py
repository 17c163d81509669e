"""Ollama's API, answers: ``/api/chat`` and ``/api/generate``."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from functools import partial
from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from isthmus.engines.infill import fill_in_the_middle
from isthmus.engines.resident import Weights
from isthmus.errors import IsthmusError, RequestError
from isthmus.generator import EventStream, Generator
from isthmus.messages import Finish, Route
from isthmus.runtime.models import Models
from isthmus.server.answering import Opening, begin, headers, streamed, whole
from isthmus.server.body import read_body
from isthmus.server.failures import error_body
from isthmus.server.operation import Operation
from isthmus.server.state import served
from isthmus.server.streaming import unless_gone
from isthmus.wire.ollama_answer import ChatLine, GenerateLine
from isthmus.wire.ollama_body import ChatBody, GenerateBody
from isthmus.wire.ollama_request import OllamaCall, parse_chat, parse_generate
from isthmus.wire.ollama_writer import PING, LineWriter, one_line, render_answer, render_empty

NDJSON = "application/x-ndjson"


@Operation(
    "Answer a conversation",
    tag="Ollama",
    body=ChatBody,
    example={"messages": [{"role": "user", "content": "Why is the sky blue?"}], "stream": False},
    answer=ChatLine,
    pieces=ChatLine,
    stream=NDJSON,
)
async def chat(request: Request) -> Response:
    """Answer a conversation, streamed unless ``stream`` is false."""
    return await _answer(request, parse_chat(await read_body(request)))


@Operation(
    "Answer a prompt",
    tag="Ollama",
    body=GenerateBody,
    example={"prompt": "Why is the sky blue?", "stream": False},
    answer=GenerateLine,
    pieces=GenerateLine,
    stream=NDJSON,
)
async def generate(request: Request) -> Response:
    """Answer a single prompt, streamed unless ``stream`` is false."""
    return await _answer(request, parse_generate(await read_body(request)))


async def _answer(request: Request, call: OllamaCall) -> Response:
    service = served(request)
    models, model = service.models, call.model or service.models.default
    if call.empty:
        reason = await _load_or_unload(request, call)
        return _json(render_empty(call.api, model, reason), headers(None, call))
    home = models.home(call.model)
    if call.suffix is not None:
        call = await unless_gone(request, partial(_with_gap, request, call, call.suffix))
    events = begin(request, call)
    if call.keep_alive_s is not None:
        if (weights := in_pool(models, call.model)) is not None:
            events = _keeping(events, partial(models.pool.keep, weights, call.keep_alive_s))
        else:
            call = _ignoring(call, "keep_alive")
    if call.stream:
        render = partial(_lines, call, model, home, events)
        known = _within_context(call, home)
        return await streamed(request, known, events, render, ping=PING, media_type=NDJSON)
    completion = await whole(request, events)
    call = _within_context(call, home)
    body = render_answer(call.api, model, completion, call.ignored)
    return _json(body, headers(completion.route, call))


async def _lines(
    call: OllamaCall, model: str, home: Generator, events: EventStream, opening: Opening
) -> AsyncGenerator[bytes, None]:
    writer = LineWriter(call.api, model)
    try:
        beginning = await opening
        last = beginning.first
        for event in (beginning.route, *beginning.notices, beginning.first):
            if event is not None and (line := writer.render(event)):
                yield line
        async for event in events:
            last = event
            if line := writer.render(event):
                yield line
    except IsthmusError as error:
        # No line says that it is done: a cut answer must not look whole.
        yield one_line(error_body(error, "ollama")) + b"\n"
        return
    if isinstance(last, Finish):
        yield writer.close(last, _within_context(call, home).ignored)


async def _with_gap(request: Request, call: OllamaCall, suffix: str) -> OllamaCall:
    """The call for a model that is to write what stands between two texts."""
    tokenizer = served(request).models.tokenizer(call.model, key=request.state.key)
    prompt = await fill_in_the_middle(tokenizer, call.request.messages[-1].text, suffix)
    return msgspec.structs.replace(call, request=msgspec.structs.replace(call.request, raw=prompt))


def _json(body: bytes, said: Mapping[str, str]) -> Response:
    return Response(body, media_type="application/json", headers=said)


# ---------------------------------------------------------------- the model meanwhile


async def _load_or_unload(request: Request, call: OllamaCall) -> Literal["load", "unload"]:
    """Do what a request without a question asks for; gives Ollama's word for it."""
    models = served(request).models
    weights = in_pool(models, call.model)
    if call.keep_alive_s == 0:
        if weights is not None:
            await unless_gone(request, partial(models.pool.unload, weights))
        return "unload"
    if weights is not None:
        await unless_gone(request, partial(models.pool.load, weights, request.state.key))
        if call.keep_alive_s is not None:
            models.pool.keep(weights, call.keep_alive_s)
    return "load"


def in_pool(models: Models, name: str | None) -> Weights | None:
    """What the pool knows a model by; None where another runner keeps it."""
    try:
        return models.weights(name)
    except RequestError:
        return None


async def _keeping(events: EventStream, keep: Callable[[], None]) -> EventStream:
    """The same events; once there is one, the model is loaded and told how long to stay."""
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Route):
                keep()
            yield event


def _within_context(call: OllamaCall, home: Generator) -> OllamaCall:
    """The call, with ``num_ctx`` among what has no effect if it asks for more than the model has.

    What is loaded can't grow for one question; how much it has is known once it is loaded.
    """
    has = home.model.context_length
    if call.num_ctx is None or has is None or call.num_ctx <= has:
        return call
    return _ignoring(call, "options.num_ctx")


def _ignoring(call: OllamaCall, name: str) -> OllamaCall:
    return msgspec.structs.replace(call, ignored=(*call.ignored, name))
