"""``POST /completion`` and ``/infill``, as llama.cpp's server has them. No prompt leaves this machine."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from functools import partial
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from isthmus.engines.infill import Snippet, fill_in_the_middle
from isthmus.errors import IsthmusError
from isthmus.generator import EventStream
from isthmus.messages import Event, TextDelta, TokenScore, TokenScores
from isthmus.server.answering import Opening, begin, gather, headers, streamed
from isthmus.server.body import read_body
from isthmus.server.failures import error_body
from isthmus.server.operation import Operation
from isthmus.server.prompts import settled
from isthmus.server.state import served
from isthmus.server.streaming import unless_gone
from isthmus.wire import sse
from isthmus.wire.gathered import Completion
from isthmus.wire.llama_answer import (
    ChosenFields,
    LlamaAnswer,
    LlamaPiece,
    chosen,
    render_answer,
    render_end,
    render_piece,
)
from isthmus.wire.llama_request import (
    CompletionBody,
    Gap,
    InfillBody,
    LlamaCall,
    parse_completion,
    parse_infill,
)
from isthmus.wire.raw_request import Raw


@Operation(
    "Continue a prompt, in llama.cpp's words",
    tag="llama.cpp",
    body=CompletionBody,
    example={"prompt": "The capital of France is", "n_predict": 8},
    answer=LlamaAnswer | ChosenFields | list[LlamaAnswer] | list[ChosenFields],
    pieces=LlamaPiece | LlamaAnswer | ChosenFields,
)
async def completion(request: Request) -> Response:
    """Continue a prompt as it stands, without the model's template, streamed or whole.

    A list of prompts gets a list of answers.
    """
    call = parse_completion(await read_body(request))
    tokenizer = served(request).models.tokenizer(call.model, key=request.state.key)
    prompts = await unless_gone(request, partial(settled, tokenizer, call.prompts))
    return await _answered(request, call, prompts)


@Operation(
    "Write what is missing between two texts",
    tag="llama.cpp",
    body=InfillBody,
    example={"input_prefix": "def add(a, b):\n", "input_suffix": "\nprint(add(1, 2))\n", "n_predict": 8},
    answer=LlamaAnswer | ChosenFields,
    pieces=LlamaPiece | LlamaAnswer | ChosenFields,
)
async def infill(request: Request) -> Response:
    """Write what is missing between two texts, by a model that was trained for it."""
    call, gap = parse_infill(await read_body(request))
    prompt = await unless_gone(request, partial(_around, request, call, gap))
    return await _answered(request, call, [prompt])


async def _around(request: Request, call: LlamaCall, gap: Gap) -> Raw:
    tokenizer = served(request).models.tokenizer(call.model, key=request.state.key)
    beside = [Snippet(each.text, each.filename) for each in gap.extra]
    return await fill_in_the_middle(tokenizer, gap.before, gap.after, beside, param="model")


async def _answered(request: Request, call: LlamaCall, prompts: Sequence[Raw]) -> Response:
    calls = [call.of(prompt) for prompt in prompts]
    answers = [begin(request, each) for each in calls]
    if call.stream:
        render = partial(_pieces, answers[0], calls[0])
        return await streamed(request, call, answers[0], render, ping=sse.PING)
    completions = await unless_gone(request, partial(_gathered, answers, served(request).models.pool.slots))
    rendered = [
        chosen(render_answer(each, asked, index=index), call.fields)
        for index, (each, asked) in enumerate(zip(completions, calls, strict=True))
    ]
    body = msgspec.json.encode(rendered if call.several else rendered[0])
    return Response(body, media_type="application/json", headers=headers(completions[0].route, call))


async def _gathered(answers: Sequence[EventStream], at_once: int) -> list[Completion]:
    """Several answers, some of them at a time; all are stopped once one fails."""
    gate = asyncio.Semaphore(at_once)

    async def in_turn(events: EventStream) -> Completion:
        async with gate:
            return await gather(events, Completion())

    gathering = [asyncio.ensure_future(in_turn(events)) for events in answers]
    try:
        return await asyncio.gather(*gathering)
    finally:
        for each in gathering:
            each.cancel()
        await asyncio.wait(gathering)


async def _pieces(events: EventStream, call: LlamaCall, opening: Opening) -> AsyncGenerator[bytes, None]:
    """The stream of an answer; llama.cpp's own has no ``[DONE]``, its last piece says that it is the last."""
    stream = _Stream(call)
    try:
        beginning = await opening
        stream.told.route, stream.told.notices = beginning.route, [*beginning.notices]
        if beginning.first is not None and (piece := stream.render(beginning.first)):
            yield sse.data(piece)
        async for event in events:
            if piece := stream.render(event):
                yield sse.data(piece)
    except IsthmusError as error:
        yield sse.data(error_body(error))
        return
    yield sse.data(stream.end())


class _Stream:
    """Renders the events of one answer."""

    def __init__(self, call: LlamaCall) -> None:
        self.told = Completion()
        self._call = call
        self._scores: list[TokenScore] = []  # of the next piece
        self._written = 0

    def render(self, event: Event) -> bytes | None:
        """The piece for an event, or None if it is part of another."""
        self.told.add(event)
        match event:
            case TokenScores(tokens):
                self._scores.extend(tokens)
                return None
            case TextDelta(text):
                self._written += 1
                scores, self._scores = self._scores, []
                return render_piece(text, scores, self._call, self._written)
            case _:
                return None

    def end(self) -> bytes:
        """The last piece."""
        ending: dict[str, Any] = render_end(self.told, self._call)
        return msgspec.json.encode(chosen(ending, self._call.fields) | {"stop": True})
