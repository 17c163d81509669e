"""The server's own pages: whole, from here, and shut to everything else."""

from functools import cache
from importlib import resources

from starlette.responses import Response

from isthmus import pages
from isthmus.server import page

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
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
"""A page runs no script and sends no request but to this server, and no other page can frame it."""


def page_file(name: str) -> Response:
    """One of the files that pages are made of; the caller says which may be asked for."""
    kind = name[name.rindex(".") :]
    return Response(_read(name), media_type=_TYPES[kind], headers=_HEADERS)


@cache
def _read(name: str) -> bytes:
    place = pages if name == "base.css" else page
    return resources.files(place).joinpath(name).read_bytes()
