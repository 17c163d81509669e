"""Errors as responses, in the shape of the API that was asked."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias

import msgspec
from starlette.responses import Response

from isthmus.errors import Busy, ContextLengthExceeded, IsthmusError, RateLimited, RequestError, UnknownModel
from isthmus.wire.faults import outward

Shape: TypeAlias = Literal["openai", "anthropic", "ollama"]

_OPENAI_TYPES = {
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}
_ANTHROPIC_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


def shape_of(path: str) -> Shape:
    """The shape in which those who ask at a path expect errors."""
    if path.startswith("/v1/messages"):
        return "anthropic"
    return "ollama" if path.startswith("/api/") else "openai"


def error_body(error: IsthmusError, shape: Shape = "openai") -> bytes:
    """An error as an API's own object, with our hint beside it."""
    match shape:
        case "openai":
            return msgspec.json.encode({"error": openai_error(error)})
        case "anthropic":
            return msgspec.json.encode({"type": "error", "error": _anthropic_error(error)})
        case "ollama":
            message, hint = outward(error)
            text = message if hint is None else f"{message} (try: {hint})"
            if isinstance(error, UnknownModel):
                text = f"model not found: {text}"  # words that its clients look for, to pull the model then
            return msgspec.json.encode({"error": text})


def openai_error(error: IsthmusError) -> dict[str, Any]:
    """What OpenAI's objects hold as their ``error``."""
    fallback = "invalid_request_error" if error.http_status < 500 else "server_error"
    message, hint = outward(error)
    return {
        "message": message,
        "type": _OPENAI_TYPES.get(error.http_status, fallback),
        "param": error.param,
        "code": error.code,
        "hint": hint,
    }


def _anthropic_error(error: IsthmusError) -> dict[str, Any]:
    fallback = "invalid_request_error" if error.http_status < 500 else "api_error"
    kind = _ANTHROPIC_TYPES.get(error.http_status, fallback)
    message, hint = outward(error)
    if isinstance(error, ContextLengthExceeded):
        # The words by which coding agents know that they have to shorten a conversation.
        message = f"prompt is too long: {message}"
    return {"type": kind, "message": message, "code": error.code, "hint": hint}


def error_response(
    error: IsthmusError,
    path: str,
    headers: Mapping[str, str] | None = None,
    *,
    status: int | None = None,
    shape: Shape | None = None,
) -> Response:
    """The response for an error that came before anything was sent.

    Args:
        error: What went wrong.
        path: Where it was asked, which tells the shape.
        headers: More of them.
        status: In place of the error's own.
        shape: In place of the path's own.
    """
    status = error.http_status if status is None else status
    if isinstance(error, Busy | RateLimited):
        headers = {**(headers or {}), "Retry-After": str(error.retry_after_s)}
        if path.startswith(("/v1/responses", "/responses")) and isinstance(error, Busy):
            status = 503  # Codex tries again after a 503, and gives up at a 429
    if status in (408, 413):
        headers = {**(headers or {}), "Connection": "close"}  # what is left of the body is not waited for
    body = error_body(error, shape or shape_of(path))
    return Response(body, status_code=status, media_type="application/json", headers=headers)


def method_not_allowed(method: str, path: str, allowed: Iterable[str]) -> Response:
    """There is something at the path, but not for this method."""
    names = ", ".join(allowed)
    error = RequestError(f"{path} does not take {method}", hint=f"use {names}")
    return error_response(error, path, {"Allow": names}, status=405)


def unexpected(path: str) -> Response:
    """A fault of ours: the client learns that it happened, the log learns what."""
    error = IsthmusError("something went wrong inside Isthmus", hint="its log says what")
    return error_response(error, path)
