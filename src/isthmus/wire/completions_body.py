"""A generator's call upstream, as a client: chat completions, or completions for a prompt that stays raw."""

from typing import Any, NamedTuple

import msgspec

from isthmus.errors import RequestError
from isthmus.messages import GenerationRequest
from isthmus.wire.chat_body import Dialect, render_chat, render_sampling


class UpstreamCall(NamedTuple):
    """Where a streaming call goes, below the API's version, and its body."""

    path: str
    body: bytes


def render_call(request: GenerationRequest, model: str, dialect: Dialect) -> UpstreamCall:
    """The call that answers a request.

    Raises:
        RequestError: A schema in it is nested too deeply, or whoever is called keeps to no grammar.
    """
    if request.raw is None:
        return UpstreamCall("/chat/completions", render_chat(request, model, dialect))
    return UpstreamCall("/completions", _render_raw(request, model, dialect))


def _render_raw(request: GenerationRequest, model: str, dialect: Dialect) -> bytes:
    body: dict[str, Any] = {
        "model": model,
        "prompt": request.raw,
        "stream": True,
        "stream_options": {"include_usage": True},
        **render_sampling(request, dialect),
    }
    if request.top_logprobs is not None:
        # llama.cpp takes "no alternatives" for "no log-probabilities at all".
        body["logprobs"] = max(request.top_logprobs, 1 if dialect == "llama" else 0)
    if request.response_format is not None:
        body |= _render_form(request.response_format, dialect)
    try:
        return msgspec.json.encode(body)
    except RecursionError as error:
        raise RequestError("the request is nested too deeply to be passed on") from error


def _render_form(form: dict[str, Any], dialect: Dialect) -> dict[str, Any]:
    """llama.cpp has a parameter of its own for prompts; others take that of conversations, if any."""
    if dialect != "llama":
        return {"response_format": form}
    return {"json_schema": form.get("json_schema", {}).get("schema", {"type": "object"})}
