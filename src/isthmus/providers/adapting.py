"""A request as a vendor's model takes it: what it refuses is left out, what it calls otherwise is put so.

What is left out is named, so that whoever asks can be told: a request is never made less without a word.
"""

import re
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from isthmus.errors import HandoffRefused
from isthmus.messages import GenerationRequest, Message, nearest_effort
from isthmus.providers.vendor import Takes

_DEFAULTS = {field.name: field.default for field in msgspec.structs.fields(GenerationRequest)}
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class Adapted(Struct, frozen=True):
    """A request as it can be rendered. ``left_out`` are fields of the original that aren't in it.

    ``extra`` is what stands beside it in the body.
    """

    request: GenerationRequest
    left_out: tuple[str, ...] = ()
    extra: dict[str, Any] = {}


def adapt(request: GenerationRequest, takes: Takes, title: str) -> Adapted:
    """Make of a request what a model takes.

    Args:
        request: What was asked.
        takes: What the model takes.
        title: Who is asked, for an error's sentence.

    Raises:
        HandoffRefused: It can't be answered there at all: several choices are asked of a model that gives
            one.
    """
    if request.n > 1 and "n" in takes.refuses:
        raise HandoffRefused(f"{title} gives one answer to a question, and {request.n} are asked for")
    changes: dict[str, Any] = {
        name: _DEFAULTS[name] for name in takes.refuses if getattr(request, name) != _DEFAULTS[name]
    }
    left_out = {*changes}
    kept = replace(request, **changes)
    if len(kept.stop) > takes.stops:
        kept = replace(kept, stop=kept.stop[: takes.stops])
        left_out.add("stop")
    if kept.effort is not None and not takes.efforts:
        kept = replace(kept, effort=None)
        left_out.add("effort")
    extra = _unthinking(request, takes)
    if extra:
        left_out.discard("effort")
    kept = replace(
        kept,
        messages=tuple(_message(each, takes) for each in kept.messages),
        temperature=None if kept.temperature is None else min(kept.temperature, takes.warmest),
        effort=None if kept.effort is None else nearest_effort(kept.effort, takes.efforts),
    )
    return Adapted(_shaped(_chosen(kept, takes), takes), tuple(sorted(left_out)), extra)


def _unthinking(request: GenerationRequest, takes: Takes) -> dict[str, Any]:
    """How a model that thinks is told not to, where it is asked not to or couldn't."""
    calls = any(message.tool_calls for message in request.messages)
    forced = request.tool_choice not in (None, "auto", "none")
    if takes.thinks and (request.effort == "none" or calls or forced):
        return {"thinking": {"type": "disabled"}}
    return {}


def _chosen(request: GenerationRequest, takes: Takes) -> GenerationRequest:
    """The request with the choice among its tools as it can be said there."""
    choice = request.tool_choice
    if choice not in (None, "auto", "none") and not takes.forced:
        return replace(request, tool_choice="auto")
    if isinstance(choice, dict) and not takes.named:
        name = choice.get("function", {}).get("name")
        tools = tuple(tool for tool in request.tools if tool.name == name)
        return replace(request, tools=tools, tool_choice="required")
    return request


def _message(message: Message, takes: Takes) -> Message:
    if not takes.names and message.name is not None:
        message = replace(message, name=None)
    if message.tool_call_id is not None:
        message = replace(message, tool_call_id=_call_id(message.tool_call_id, takes.call_ids))
    if message.tool_calls:
        calls = tuple(replace(each, id=_call_id(each.id, takes.call_ids)) for each in message.tool_calls)
        message = replace(message, tool_calls=calls)
    return message


def _call_id(text: str, pattern: str) -> str:
    """The id of a call, or, where the vendor would refuse it, nine characters that stand for it."""
    if re.fullmatch(pattern, text, re.ASCII):
        return text
    number = int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")
    return "".join(_ALPHABET[number // 62**place % 62] for place in range(9))


def _shaped(request: GenerationRequest, takes: Takes) -> GenerationRequest:
    """The request with its answer's shape told in words, where the vendor doesn't hold answers to it."""
    form = request.response_format or {}
    kind = form.get("type")
    if kind == "json_schema" and not takes.schemas:
        schema = msgspec.json.encode(form.get("json_schema", {}).get("schema", {})).decode()
        words = f"Answer with a JSON object, and nothing else, that this JSON Schema describes: {schema}"
    elif kind == "json_object" and not takes.json:
        words = "Answer with a JSON object, and nothing else."
    else:
        return request
    kept = {"type": "json_object"} if takes.json else None
    messages = (Message("system", words), *request.messages)
    return replace(request, messages=messages, response_format=kept)
