"""``GET /v1/models`` and ``GET /health``."""

from starlette.requests import Request
from starlette.responses import Response

from isthmus import __version__
from isthmus.errors import UnknownModel
from isthmus.runtime.models import KnownModel
from isthmus.server.body import as_json
from isthmus.server.state import served


async def list_models(request: Request) -> Response:
    """The models that requests may name."""
    service = served(request)
    known = await service.models.listing()
    return as_json({"object": "list", "data": [_entry(each, service.since) for each in known]})


async def one_model(request: Request) -> Response:
    """One of them."""
    service, wanted = served(request), request.path_params["model"]
    name = service.models.home(wanted).model.name
    for each in await service.models.listing():
        if each.name in (wanted, name):
            return as_json(_entry(each, service.since))
    raise UnknownModel(f"the model {wanted!r} has just been removed", param="model")


async def health(request: Request) -> Response:
    """Whether the server lives; it needs no key and tells no names."""
    return as_json({"status": "ok", "version": __version__})


def _entry(model: KnownModel, since: int) -> dict[str, object]:
    return {
        "id": model.name,
        "object": "model",
        "created": int(model.added.timestamp()) if model.added else since,
        "owned_by": "isthmus",
        "loaded": model.loaded,
        "context_length": model.context_length,
        "size_bytes": model.size_bytes,
        "digest": model.digest,
    }
