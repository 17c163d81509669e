"""``POST /v1/completions``: prompts that the model reads as they stand. They never leave this machine."""

from collections.abc import Sequence
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from isthmus.engines.infill import fill_in_the_middle
from isthmus.messages import Route
from isthmus.server.answering import begin, headers, streamed, whole
from isthmus.server.body import read_body
from isthmus.server.chunked import chunks, stamp
from isthmus.server.operation import Operation
from isthmus.server.prompts import settled
from isthmus.server.side_by_side import side_by_side
from isthmus.server.state import served
from isthmus.server.streaming import unless_gone
from isthmus.wire import sse
from isthmus.wire.completions_answer import TextCompletion
from isthmus.wire.completions_request import CompletionsBody, CompletionsCall, parse_completions
from isthmus.wire.completions_writer import TextChunkWriter, render_text_completion
from isthmus.wire.raw_request import Raw


@Operation(
    "Continue a prompt",
    tag="OpenAI",
    body=CompletionsBody,
    example={"prompt": "The capital of France is", "max_tokens": 8},
    answer=TextCompletion,
    pieces=TextCompletion,
)
async def completions(request: Request) -> Response:
    """Continue a prompt as it stands, without the model's template, streamed or whole.

    With a suffix the model writes what lies between the two, if it was trained for that.
    """
    call = parse_completions(await read_body(request))
    prompts, heads = await unless_gone(request, partial(_prepared, request, call))
    answers = [begin(request, call.of(prompt)) for prompt in prompts]
    events = side_by_side(answers, call.request.n, served(request).models.pool.slots)
    if call.stream:

        def writer(route: Route | None) -> TextChunkWriter:
            return TextChunkWriter(stamp("cmpl", route), heads=heads, include_usage=call.include_usage)

        return await streamed(request, call, events, partial(chunks, events, writer), ping=sse.PING)
    completion = await whole(request, events)
    scored = call.request.top_logprobs is not None
    body = render_text_completion(completion, stamp("cmpl", completion.route), heads=heads, logprobs=scored)
    return Response(body, media_type="application/json", headers=headers(completion.route, call))


async def _prepared(request: Request, call: CompletionsCall) -> tuple[Sequence[Raw], list[str]]:
    """What the model is to read, and what each choice's text begins with."""
    tokenizer = served(request).models.tokenizer(call.model, key=request.state.key)
    prompts: Sequence[Raw] = await settled(tokenizer, call.prompts)
    heads = [""] * len(prompts)
    if call.echo:
        heads = [each if isinstance(each, str) else await tokenizer.detokenize(each) for each in prompts]
    if call.suffix is not None:
        texts = (prompt for prompt in prompts if isinstance(prompt, str))
        prompts = [await fill_in_the_middle(tokenizer, text, call.suffix) for text in texts]
    return prompts, [head for head in heads for _ in range(call.request.n)]
