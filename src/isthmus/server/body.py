"""Request bodies, read up to a limit, and what handlers send back as JSON."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from isthmus.errors import RequestTooLarge
from isthmus.server.state import served


async def read_body(request: Request) -> bytes:
    """The request's body.

    Raises:
        RequestTooLarge: It is larger than the settings allow.
    """
    limit = served(request).max_body_bytes
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > limit:
            raise RequestTooLarge(
                f"the body is larger than {limit // 2**20} MiB", hint="raise server.max_body_mb"
            )
        pieces.append(piece)
    return b"".join(pieces)


def as_json(value: object) -> Response:
    """A response that holds a value as JSON."""
    return Response(msgspec.json.encode(value), media_type="application/json")
