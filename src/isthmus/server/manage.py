"""Which models are loaded: ``GET /isthmus/models``, ``POST /isthmus/models/NAME/load`` and ``.../unload``."""

from functools import partial

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from isthmus.engines.resident import ModelStatus
from isthmus.errors import AccessDenied
from isthmus.server.body import as_json
from isthmus.server.operation import Operation
from isthmus.server.state import served
from isthmus.server.streaming import unless_gone


class LoadedModels(Struct):
    """The models that are loaded, or on their way in or out, and the memory that they share."""

    budget_bytes: int
    taken_bytes: int
    models: list[ModelStatus]


class Loaded(Struct):
    """A model that has been loaded."""

    model: str
    loaded: bool = True


class Unloaded(Struct):
    """A model that is not loaded any more, or never was."""

    model: str
    was_loaded: bool
    loaded: bool = False


@Operation("List what is loaded", tag="Models", answer=LoadedModels)
async def loaded_models(request: Request) -> Response:
    """The models that are loaded, or on their way in or out, and the memory that they share."""
    check_right(request)
    pool = served(request).models.pool
    return as_json(LoadedModels(pool.budget_bytes, pool.taken_bytes, pool.status()))


@Operation("Load a model", tag="Models", answer=Loaded)
async def load_model(request: Request) -> Response:
    """Load a model, and answer once it is."""
    check_right(request)
    models, name = served(request).models, request.path_params["model"]
    weights = models.weights(name)
    await unless_gone(request, partial(models.pool.load, weights, request.state.key))
    return as_json(Loaded(weights.name))


@Operation("Unload a model", tag="Models", answer=Unloaded)
async def unload_model(request: Request) -> Response:
    """Unload a model once it has answered whoever has asked for it, and answer once it is gone."""
    check_right(request)
    models, name = served(request).models, request.path_params["model"]
    weights = models.weights(name)
    was_loaded = await unless_gone(request, partial(models.pool.unload, weights))
    return as_json(Unloaded(weights.name, was_loaded))


def check_right(request: Request) -> None:
    """Managing takes the run file's key or one that was created, even where asking takes none."""
    if not request.state.own and request.state.key is None:
        raise AccessDenied(
            "managing models takes a key",
            hint="isthmus key create NAME --scope manage, then send it as a bearer token",
        )
