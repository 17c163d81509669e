"""``GET /v1/models``, in the shape of whoever asks.

Anthropic's clients are told by their ``anthropic-version`` header, Codex by ``client_version`` in its query.
"""

from collections.abc import Awaitable, Sequence

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from isthmus.errors import IsthmusError, RequestError, UnknownModel
from isthmus.runtime.models import KnownModel
from isthmus.server.body import as_json
from isthmus.server.failures import error_response
from isthmus.server.model_shapes import (
    AnthropicModel,
    AnthropicModels,
    CodexModels,
    OpenAIModel,
    OpenAIModels,
    anthropic_model,
    codex_model,
    openai_model,
)
from isthmus.server.operation import Operation, Parameter
from isthmus.server.state import served

_PAGE, _LONGEST_PAGE = 20, 1000
"""How many models Anthropic's clients get at once unless they say, and at most."""


@Operation(
    "The models that requests may name",
    tag="Models",
    answer=OpenAIModels | AnthropicModels | CodexModels,
    query=(
        Parameter("client_version", "Codex's version: the answer has the shape of its catalogue."),
        Parameter("limit", "With Anthropic's shape: how many at most.", int),
        Parameter("after_id", "With Anthropic's shape: only those behind this one."),
        Parameter("before_id", "With Anthropic's shape: only those ahead of this one."),
    ),
)
async def list_models(request: Request) -> Response:
    """The models that requests may name, in the asker's shape."""
    return await _in_shape(request, _listed(request))


@Operation("One model", tag="Models", answer=OpenAIModel | AnthropicModel)
async def one_model(request: Request) -> Response:
    """One of them."""
    return await _in_shape(request, _one(request))


async def _listed(request: Request) -> OpenAIModels | AnthropicModels | CodexModels:
    service = served(request)
    known = await service.models.listing()
    if "client_version" in request.query_params:
        return CodexModels([codex_model(each, place) for place, each in enumerate(known)])
    if not _asks_as_anthropic(request):
        return OpenAIModels([openai_model(each, service.since) for each in known])
    page, more = _page(request, known)
    models = [anthropic_model(each, service.since) for each in page]
    first, last = (models[0].id, models[-1].id) if models else (None, None)
    return AnthropicModels(models, more, first, last)


async def _one(request: Request) -> OpenAIModel | AnthropicModel:
    service, wanted = served(request), request.path_params["model"]
    name = service.models.home(wanted).model.name
    shape = anthropic_model if _asks_as_anthropic(request) else openai_model
    for each in await service.models.listing():
        if each.name in (wanted, name):
            return shape(each, service.since)
    raise UnknownModel(f"the model {wanted!r} has just been removed", param="model")


async def _in_shape(request: Request, answer: Awaitable[Struct]) -> Response:
    try:
        return as_json(await answer)
    except IsthmusError as error:
        if _asks_as_anthropic(request):
            return error_response(error, request.url.path, shape="anthropic")
        raise


def _asks_as_anthropic(request: Request) -> bool:
    return "anthropic-version" in request.headers


def _page(request: Request, known: Sequence[KnownModel]) -> tuple[Sequence[KnownModel], bool]:
    """The models asked for, and whether there are more in that direction."""
    asked = request.query_params
    limit = _limit(asked.get("limit", str(_PAGE)))
    names = [each.name for each in known]
    if before := asked.get("before_id"):
        end = names.index(before) if before in names else 0
        return known[max(0, end - limit) : end], end > limit
    after = asked.get("after_id")
    start = 0 if not after else names.index(after) + 1 if after in names else len(names)
    return known[start : start + limit], start + limit < len(names)


def _limit(given: str) -> int:
    limit = int(given) if given.isascii() and given.isdecimal() and len(given) < 5 else 0
    if not 1 <= limit <= _LONGEST_PAGE:
        raise RequestError(f"limit is a number from 1 to {_LONGEST_PAGE}", param="limit")
    return limit
