"""``GET /openapi.json`` and the page at ``/docs`` that shows it."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Protocol, cast

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from isthmus.errors import NotFound
from isthmus.server.openapi import describe
from isthmus.server.operation import Endpoint, Handler, Operation
from isthmus.server.pages import page_file

_FILES = frozenset({"base.css", "docs.css", "docs.js", "icon.svg"})


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
    return page_file("docs.html")


@Operation("What the page is made of", text="text/plain", open=True)
async def docs_file(request: Request) -> Response:
    """Its style, script and icon."""
    name = request.path_params["name"]
    if name not in _FILES:
        raise NotFound(f"there is nothing at /docs/{name}")
    return page_file(name)
