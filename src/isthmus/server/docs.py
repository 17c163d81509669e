"""``GET /openapi.json`` and the page at ``/docs`` that shows it; all that the page loads comes from here."""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, Protocol, cast

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from isthmus.errors import NotFound
from isthmus.server import page
from isthmus.server.openapi import describe
from isthmus.server.operation import Endpoint, Handler, Operation

_TYPES = {
    "docs.html": "text/html; charset=utf-8",
    "docs.css": "text/css; charset=utf-8",
    "docs.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-cache",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""The page runs no script and sends no request but to this server, and no other page can frame it."""


class _Documented(Protocol):
    handlers: Mapping[str, Handler]


def openapi_document(routes: Sequence[BaseRoute]) -> Endpoint:
    """The handler of ``/openapi.json``.

    Args:
        routes: What the document describes, read at its first request; each endpoint has ``handlers``.
    """

    @cache
    def rendered() -> bytes:
        paths = {
            route.path: cast("_Documented", route.endpoint).handlers
            for route in routes
            if isinstance(route, Route)
        }
        return msgspec.json.encode(describe(paths))

    @Operation("This document", answer=dict[str, Any])
    async def openapi(request: Request) -> Response:
        """What the server can do, as an OpenAPI 3.1 document."""
        return Response(rendered(), media_type="application/json")

    return openapi


@Operation("The page that shows this document", text="text/html", open=True)
async def docs_page(request: Request) -> Response:
    """Operations, shapes, and a form to try each; its key stays in the page."""
    return _file("docs.html")


@Operation("What the page is made of", text="text/plain", open=True)
async def docs_file(request: Request) -> Response:
    """Its style, script and icon."""
    return _file(request.path_params["name"])


def _file(name: str) -> Response:
    if name not in _TYPES:
        raise NotFound(f"there is nothing at /docs/{name}")
    return Response(_read(name), media_type=_TYPES[name], headers=_HEADERS)


@cache
def _read(name: str) -> bytes:
    return resources.files(page).joinpath(name).read_bytes()
