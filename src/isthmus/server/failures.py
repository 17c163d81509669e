"""The one place where errors become responses, in OpenAI's shape."""

from collections.abc import Mapping

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from isthmus.errors import IsthmusError, NotFound, RequestError

_TYPES = {
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "not_found_error",
}


def error_body(error: IsthmusError) -> bytes:
    """OpenAI's error object, with our hint beside it."""
    fallback = "invalid_request_error" if error.http_status < 500 else "server_error"
    return msgspec.json.encode(
        {
            "error": {
                "message": error.message,
                "type": _TYPES.get(error.http_status, fallback),
                "param": error.param,
                "code": error.code,
                "hint": error.hint,
            }
        }
    )


def error_response(error: IsthmusError, headers: Mapping[str, str] | None = None) -> Response:
    """The response for an error that came before anything was sent."""
    return Response(
        error_body(error), status_code=error.http_status, media_type="application/json", headers=headers
    )


async def on_isthmus_error(_: Request, error: Exception) -> Response:
    """Starlette's handler for the error tree."""
    return error_response(error if isinstance(error, IsthmusError) else _unexpected())


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Starlette's own errors: no such path, no such method."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 404:
        return error_response(NotFound(f"there is nothing at {request.method} {request.url.path}"))
    if status == 405:
        problem = RequestError(f"{request.url.path} does not take {request.method}")
        response = error_response(problem)
        response.status_code = 405
        return response
    return error_response(_unexpected())


async def on_unexpected(_: Request, __: Exception) -> Response:
    """A fault of ours: the client learns that it happened, the log learns what."""
    return error_response(_unexpected())


def _unexpected() -> IsthmusError:
    return IsthmusError("something went wrong inside Isthmus", hint="its log says what")
