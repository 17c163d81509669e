"""Request bodies, read up to a limit, and what handlers send back as JSON."""

import asyncio
import re

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from isthmus.errors import RequestError, RequestTooLarge, RequestTooSlow
from isthmus.server.state import served

MAX_DEPTH = 100
"""How deeply JSON may be nested. No request needs a tenth of it, and what reads it may be recursive."""

_PATIENCE = 4
"""A body up to this many times the limit is read, and forgotten: few clients listen while they talk."""
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_ONE_KIND = bytes.maketrans(b"{}", b"[]")


async def read_body(request: Request) -> bytes:
    """The request's body.

    Raises:
        RequestTooLarge: It is larger than the settings allow.
        RequestTooSlow: It didn't arrive in time.
        RequestError: It is JSON that is nested too deeply.
    """
    service = served(request)
    limit, timeout_s = service.max_body_bytes, service.settings.body_timeout_s
    if request.scope["state"].get("arrived"):  # as it does unless it is long, or its client slow
        body = await _gather(request, limit)
    else:
        try:
            async with asyncio.timeout(timeout_s):
                body = await _gather(request, limit)
        except TimeoutError as error:
            raise RequestTooSlow(
                f"the body did not arrive within {timeout_s:g} s", hint="raise server.body_timeout_s"
            ) from error
    check_depth(body)
    return body


async def _gather(request: Request, limit: int) -> bytes:
    """All of it, or as much as is needed to know that it is too large."""
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size <= limit:
            pieces.append(piece)
        elif size > _PATIENCE * limit:
            break
    if size > limit:
        raise RequestTooLarge(
            f"the body is larger than {limit // 2**20} MiB", hint="raise server.max_body_mb"
        )
    return b"".join(pieces)


def check_depth(body: bytes) -> None:
    """Refuse JSON that is nested too deeply.

    Raises:
        RequestError: It is.
    """
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return
    # Of one kind, so that each round takes away one level: "{[]}" would lose two.
    brackets = _STRING.sub(b"", body).translate(_ONE_KIND, _NOT_BRACKETS)
    for _ in range(MAX_DEPTH):
        inner = brackets.replace(b"[]", b"")
        if len(inner) == len(brackets):
            return  # flat, or no JSON at all: whoever parses it says so
        brackets = inner
    if brackets:
        raise RequestError(f"the body is nested deeper than {MAX_DEPTH} levels")


def as_json(value: object) -> Response:
    """A response that holds a value as JSON."""
    return Response(msgspec.json.encode(value), media_type="application/json")
