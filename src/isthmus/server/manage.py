"""Which models are loaded: ``GET /isthmus/models``, ``POST /isthmus/models/NAME/load`` and ``.../unload``."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from isthmus.errors import AccessDenied
from isthmus.server.body import as_json
from isthmus.server.state import served
from isthmus.server.streaming import unless_gone


async def loaded_models(request: Request) -> Response:
    """The models that are loaded, or on their way in or out, and the memory that they share."""
    _check_right(request)
    pool = served(request).models.pool
    return as_json(
        {"budget_bytes": pool.budget_bytes, "taken_bytes": pool.taken_bytes, "models": pool.status()}
    )


async def load_model(request: Request) -> Response:
    """Load a model, and answer once it is."""
    _check_right(request)
    models, name = served(request).models, request.path_params["model"]
    weights = models.weights(name)
    await unless_gone(request, partial(models.pool.load, weights, request.state.key))
    return as_json({"model": weights.name, "loaded": True})


async def unload_model(request: Request) -> Response:
    """Unload a model once it has answered whoever has asked for it, and answer once it is gone."""
    _check_right(request)
    models, name = served(request).models, request.path_params["model"]
    weights = models.weights(name)
    was_loaded = await unless_gone(request, partial(models.pool.unload, weights))
    return as_json({"model": weights.name, "loaded": False, "was_loaded": was_loaded})


def _check_right(request: Request) -> None:
    """Managing takes the run file's key or one that was created, even where asking takes none."""
    if not request.state.own and request.state.key is None:
        raise AccessDenied(
            "managing models takes a key", hint="isthmus key create NAME, then send it as a bearer token"
        )
