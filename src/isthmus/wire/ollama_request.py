"""Ollama's ``/api/chat`` and ``/api/generate``: their JSON to `GenerationRequest`."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeAlias

import msgspec

from isthmus.errors import RequestError
from isthmus.messages import (
    Effort,
    GenerationRequest,
    HandoffMode,
    ImagePart,
    Message,
    Part,
    Role,
    TextPart,
    Tool,
    ToolCall,
)
from isthmus.wire.call import Call, is_marked
from isthmus.wire.choices import check_tools
from isthmus.wire.decoding import BodyDecoder
from isthmus.wire.images import MAX_IMAGES
from isthmus.wire.ollama_body import (
    Asked,
    CalledTool,
    ChatBody,
    GenerateBody,
    OllamaMessage,
    OptionNames,
    Options,
    image_url,
    seconds,
    whole,
)
from isthmus.wire.response_format import json_schema
from isthmus.wire.sampling import read_stops

Api: TypeAlias = Literal["chat", "generate"]

_WORDS: dict[str, Any] = {"role": Role, "type": Literal["function"], "handoff": HandoffMode}
_CHAT = BodyDecoder(ChatBody, _WORDS)
_GENERATE = BodyDecoder(GenerateBody, _WORDS)
_OPTION_NAMES = BodyDecoder(OptionNames, _WORDS)

_EFFORTS: dict[bool | str, Effort] = {
    True: "medium",
    False: "none",
    "none": "none",
    "minimal": "minimal",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "max": "xhigh",
    "xhigh": "xhigh",
}


class OllamaCall(Call, frozen=True, kw_only=True):
    """A parsed request.

    With a ``suffix``, the model is to write what stands between prompt and suffix.
    ``empty`` ones ask for no answer: the model is to be loaded, or with ``keep_alive_s`` 0 unloaded.
    ``keep_alive_s`` is how long it is to stay loaded after this answer, -1 for ever. ``num_ctx`` is the
    context that the caller counts on, in tokens.
    """

    api: Api
    empty: bool
    keep_alive_s: float | None
    num_ctx: int | None
    suffix: str | None = None


def parse_chat(body: bytes) -> OllamaCall:
    """Read a request to ``/api/chat``.

    Raises:
        RequestError: Not JSON, or a parameter of the wrong type or out of range; ``param`` names it.
    """
    asked = _CHAT.decode(body)
    tools = check_tools(
        Tool(each.function.name, each.function.description, each.function.parameters)
        for each in asked.tools or ()
    )
    messages = tuple(_conversation(asked.messages or []))
    _check_images(messages)
    request = _request(asked, messages, tools)
    return _call("chat", asked, request, _CHAT.unknown(body), _option_names(body))


def parse_generate(body: bytes) -> OllamaCall:
    """Read a request to ``/api/generate``.

    Raises:
        RequestError: Not JSON, or a parameter that is of the wrong type, out of range, or has no equal
            here; ``param`` names it.
    """
    asked = _GENERATE.decode(body)
    _refuse_unsupported(asked)
    messages: list[Message] = []
    if asked.prompt:
        if asked.system:
            messages.append(Message("system", asked.system))
        messages.append(Message("user", _content(asked.prompt, asked.images, "images")))
    _check_images(messages)
    request = _request(asked, tuple(messages), ())
    if asked.raw and asked.prompt:
        request = msgspec.structs.replace(request, raw=asked.prompt)
    ignored = list(_GENERATE.unknown(body))
    if asked.suffix:  # what models read around a gap has no place for them
        ignored += [name for name in ("images", "system") if getattr(asked, name)]
    call = _call("generate", asked, request, ignored, _option_names(body))
    return msgspec.structs.replace(call, suffix=asked.suffix or None)


def _refuse_unsupported(asked: GenerateBody) -> None:
    """Turn away what would change the meaning if it were passed over."""
    unsupported = {
        "template": (asked.template, "send raw true, and the prompt as the model is to read it"),
        "context": (asked.context, "send the conversation to /api/chat"),
    }
    for param, (value, hint) in unsupported.items():
        if value:
            raise RequestError(f"{param} is not supported by /api/generate here", hint=hint, param=param)
    if asked.raw:
        out_of_place = {"system": asked.system, "images": asked.images, "suffix": asked.suffix}
        for param, value in out_of_place.items():
            if value:
                raise RequestError(f"{param} has no place in a raw prompt", param=param)


# ---------------------------------------------------------------- what is asked


def _call(
    api: Api, asked: Asked, request: GenerationRequest, unknown: Iterable[str], options: Iterable[str]
) -> OllamaCall:
    ignored = [*unknown, *(f"options.{name}" for name in options)]
    if asked.shift:
        ignored.append("shift")  # an answer ends where the context does: nothing is pushed out of it
    return OllamaCall(
        request=request,
        model=asked.model,
        stream=asked.stream is not False,
        handoff=asked.isthmus.handoff if asked.isthmus else None,
        ignored=tuple(ignored),
        api=api,
        empty=not request.messages,
        keep_alive_s=seconds(asked.keep_alive, "keep_alive"),
        num_ctx=whole(asked.options.num_ctx, "options.num_ctx") if asked.options else None,
    )


def _request(asked: Asked, messages: tuple[Message, ...], tools: tuple[Tool, ...]) -> GenerationRequest:
    options = asked.options or Options()
    limit = whole(options.num_predict, "options.num_predict")
    seed = whole(options.seed, "options.seed", below=2**63)
    return GenerationRequest(
        messages=messages,
        max_tokens=limit if limit is not None and limit > 0 else None,  # -1, -2: as many as there is room for
        temperature=options.temperature,
        top_p=options.top_p,
        seed=seed if seed != -1 else None,  # -1: any
        stop=read_stops(options.stop),
        presence_penalty=options.presence_penalty,
        frequency_penalty=options.frequency_penalty,
        effort=_effort(asked.think),
        top_logprobs=(asked.top_logprobs or 0) if asked.logprobs else None,
        tools=tools,
        truncation="oldest" if asked.truncate else "none",  # unasked, nothing is cut without a word
        response_format=_response_format(asked.format),
        top_k=whole(options.top_k, "options.top_k"),
        min_p=options.min_p,
        typical_p=options.typical_p,
        repeat_penalty=options.repeat_penalty,
        repeat_last_n=whole(options.repeat_last_n, "options.repeat_last_n"),
        home_only=is_marked(asked.isthmus),
    )


def _option_names(body: bytes) -> list[str]:
    """The options that have no effect here."""
    given = _OPTION_NAMES.decode(body).options or {}
    known = Options.__struct_fields__
    return sorted(name for name, value in given.items() if name not in known and bytes(value) != b"null")


def _effort(think: bool | str | None) -> Effort | None:
    if think is None:
        return None
    if think not in _EFFORTS:
        known = ", ".join(str(each).lower() for each in _EFFORTS)
        raise RequestError(f"think: {str(think)[:50]!r} is not one of {known}", param="think")
    return _EFFORTS[think]


def _response_format(format_: str | dict[str, Any] | None) -> dict[str, Any] | None:
    if format_ is None or format_ == "":
        return None
    if isinstance(format_, dict):
        return json_schema("answer", format_, None, "format")
    if format_ != "json":
        raise RequestError(f"format: {format_!r} is neither 'json' nor a JSON Schema", param="format")
    return {"type": "json_object"}


# ---------------------------------------------------------------- conversations


def _conversation(messages: Sequence[OllamaMessage]) -> Iterable[Message]:
    """The messages, with calls and their results tied by identifiers, which Ollama's needn't have.

    A result without one answers the first open call of its ``tool_name``, or else the first open call.
    """
    open_calls: list[ToolCall] = []
    for number, asked in enumerate(messages):
        calls = tuple(
            _tool_call(call, f"call_{number}_{place}") for place, call in enumerate(asked.tool_calls or ())
        )
        if calls:
            open_calls = list(calls)
        answered = _answered(asked, open_calls) if asked.role == "tool" else None
        if answered is not None and answered in open_calls:
            open_calls.remove(answered)
        yield Message(
            role=asked.role,
            content=_content(asked.content or "", asked.images, f"messages[{number}].images"),
            reasoning=asked.thinking,
            tool_calls=calls,
            tool_call_id=asked.tool_call_id or (answered.id if answered else None),
            name=asked.tool_name or (answered.name if answered else None),
            home_only=is_marked(asked.isthmus),
        )


def _answered(result: OllamaMessage, open_calls: Sequence[ToolCall]) -> ToolCall | None:
    """The call that a tool's message answers."""
    if result.tool_call_id is not None:
        return next((call for call in open_calls if call.id == result.tool_call_id), None)
    named = [call for call in open_calls if call.name == result.tool_name]
    return next(iter(named or open_calls), None)


def _tool_call(call: CalledTool, id_: str) -> ToolCall:
    arguments = call.function.arguments
    text = arguments if isinstance(arguments, str) else msgspec.json.encode(arguments).decode()
    return ToolCall(call.id or id_, call.function.name, text)


def _check_images(messages: Iterable[Message]) -> None:
    if sum(message.images for message in messages) > MAX_IMAGES:
        raise RequestError(f"there are more than {MAX_IMAGES} images", param="images")


def _content(text: str, images: Sequence[str] | None, param: str) -> str | tuple[Part, ...]:
    """A message's content: its images stand before its text, as Ollama places them."""
    if not images:
        return text
    parts: list[Part] = [ImagePart(image_url(each, f"{param}[{n}]")) for n, each in enumerate(images)]
    return (*parts, TextPart(text))
