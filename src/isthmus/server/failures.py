"""Errors as responses, in OpenAI's shape."""

from collections.abc import Iterable, Mapping

import msgspec
from starlette.responses import Response

from isthmus.errors import Busy, IsthmusError, RequestError

_TYPES = {
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
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


def error_response(
    error: IsthmusError, headers: Mapping[str, str] | None = None, *, status: int | None = None
) -> Response:
    """The response for an error that came before anything was sent."""
    status = error.http_status if status is None else status
    if isinstance(error, Busy):
        headers = {**(headers or {}), "Retry-After": str(error.retry_after_s)}
    return Response(error_body(error), status_code=status, media_type="application/json", headers=headers)


def method_not_allowed(method: str, path: str, allowed: Iterable[str]) -> Response:
    """There is something at the path, but not for this method."""
    names = ", ".join(allowed)
    return error_response(
        RequestError(f"{path} does not take {method}", hint=f"use {names}"), {"Allow": names}, status=405
    )


def unexpected() -> Response:
    """A fault of ours: the client learns that it happened, the log learns what."""
    return error_response(IsthmusError("something went wrong inside Isthmus", hint="its log says what"))
