"""``GET /health`` and ``GET /ready``: for whoever restarts the server, and for whoever sends it questions."""

from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from isthmus import __version__
from isthmus.errors import IsthmusError
from isthmus.server.body import as_json
from isthmus.server.operation import Operation
from isthmus.server.state import Served, served

ModelState: TypeAlias = Literal["loaded", "loading", "unloading", "absent", "runner"]


class Health(Struct, frozen=True):
    """The server lives."""

    status: Literal["ok"]
    version: str


class Readiness(Struct, frozen=True, omit_defaults=True):
    """Whether questions may be sent here."""

    status: Literal["ready", "draining", "unavailable"]
    model: ModelState | None = None
    """Of the default model: loaded, loading, absent (it is loaded when it is asked), or a runner's."""
    reason: str | None = None
    """The code of what keeps the default model from answering."""


@Operation("Whether the server lives", answer=Health, open=True)
async def health(request: Request) -> Response:
    """It needs no key and tells no names."""
    return as_json(Health("ok", __version__))


@Operation("Whether the server can answer", answer=Readiness, open=True)
async def ready(request: Request) -> Response:
    """It needs no key and tells no names; 503 where questions had better be sent elsewhere."""
    readiness = _readiness(served(request))
    return Response(
        msgspec.json.encode(readiness),
        status_code=200 if readiness.status == "ready" else 503,
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def _readiness(service: Served) -> Readiness:
    if service.draining:
        return Readiness("draining")
    models = service.models
    if models.runs_elsewhere:
        return Readiness("ready", "runner")
    try:
        name = models.weights().name
    except IsthmusError as error:
        return Readiness("unavailable", "absent", error.code)
    states: list[ModelState] = [each.state for each in models.pool.status() if each.name == name]
    return Readiness("ready", states[0] if states else "absent")
