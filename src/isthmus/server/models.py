"""``GET /v1/models`` and ``GET /health``."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from isthmus import __version__
from isthmus.errors import UnknownModel
from isthmus.server.state import Served, served


async def list_models(request: Request) -> Response:
    """The models that requests may name."""
    return _json({"object": "list", "data": [_entry(served(request))]})


async def one_model(request: Request) -> Response:
    """One of them."""
    service, wanted = served(request), request.path_params["model"]
    if wanted != service.runtime.home.model.name:
        raise UnknownModel(f"the model {wanted!r} is not served here", param="model")
    return _json(_entry(service))


async def health(request: Request) -> Response:
    """Whether the server lives; it needs no key and tells no names."""
    return _json({"status": "ok", "version": __version__})


def _entry(service: Served) -> dict[str, object]:
    model = service.runtime.home.model
    return {
        "id": model.name,
        "object": "model",
        "created": service.since,
        "owned_by": "isthmus",
        "context_length": model.context_length,
        "digest": model.digest,
    }


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
