"""``GET /props``: what llama.cpp's server says of the model that it has loaded."""

from typing import Any

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from isthmus.server.body import as_json
from isthmus.server.operation import Operation, Parameter
from isthmus.server.state import served


class GenerationSettings(Struct):
    """The allocated context, in tokens; None until the model is loaded. The rest is the engine's own."""

    n_ctx: int | None
    params: dict[str, Any] = {}


class Modalities(Struct):
    """What a model takes beside text."""

    vision: bool
    audio: bool = False


class Props(Struct):
    """A model, and how it is served. Where its file lies is nobody's business: the path is its name."""

    model_alias: str
    model_path: str
    total_slots: int
    default_generation_settings: GenerationSettings
    modalities: Modalities
    chat_template: str
    build_info: str | None


@Operation(
    "What is served",
    tag="llama.cpp",
    answer=Props,
    query=(Parameter("model", "Which model; without it the default."),),
)
async def props(request: Request) -> Response:
    """The default model or another, its context, its template, and how many answers it gives at a time."""
    models, wanted = served(request).models, request.query_params.get("model")
    info = models.home(wanted).model
    return as_json(
        Props(
            model_alias=info.name,
            model_path=info.name,
            total_slots=models.pool.slots,
            default_generation_settings=GenerationSettings(info.context_length),
            modalities=Modalities(info.vision),
            chat_template=info.template or "",
            build_info=info.fingerprint,
        )
    )
