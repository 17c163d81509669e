"""``POST /v1/embeddings``."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from isthmus.server.answering import ignoring
from isthmus.server.body import read_body
from isthmus.server.exchange import exchange_of
from isthmus.server.operation import Operation
from isthmus.server.state import served
from isthmus.server.streaming import unless_gone
from isthmus.wire.embeddings import EmbeddingsAnswer, EmbeddingsBody, parse_embeddings, render_embeddings


@Operation(
    "Turn texts into vectors",
    tag="OpenAI",
    body=EmbeddingsBody,
    example={"input": ["The sky is blue.", "Der Himmel ist blau."]},
    answer=EmbeddingsAnswer,
)
async def embeddings(request: Request) -> Response:
    """Turn texts into vectors of unit length, with any model; best with one that was trained for it."""
    call = parse_embeddings(await read_body(request))
    models = served(request).models
    embedder = models.embedder(call.model, key=request.state.key)
    made = await unless_gone(request, partial(embedder.embed, call.texts))
    exchange_of(request).spend(made.prompt_tokens)
    body = render_embeddings(made, models.home(call.model).model.name, call)
    return Response(body, media_type="application/json", headers=ignoring(call.ignored))
