"""Chat Completions requests: JSON to `GenerationRequest` for the server, and back for what it calls."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias, get_args

import msgspec
from msgspec import Meta, Struct

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
from isthmus.wire.call import Call

Dialect: TypeAlias = Literal["llama", "runner", "hosted", "openai"]
"""Who is called: our own worker, a person's local runner, a hosted model, OpenAI itself."""

MAX_TOP_LOGPROBS = 20

_Tokens: TypeAlias = Annotated[int, Meta(ge=1, le=2**31 - 1)]
_NamedChoice: TypeAlias = Literal["auto", "none", "required"]
_Truncation: TypeAlias = Literal["auto", "disabled"]

# ---------------------------------------------------------------- shapes, as OpenAI publishes them


class _ImageUrl(Struct):
    url: str
    detail: str | None = None


class _ContentPart(Struct):
    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: _ImageUrl | None = None


class _Function(Struct):
    name: str
    arguments: str = ""


class _ToolCall(Struct):
    id: str
    function: _Function
    type: Literal["function"] = "function"


class _Message(Struct):
    role: Role
    content: str | list[_ContentPart] | None = None
    name: str | None = None
    tool_calls: list[_ToolCall] | None = None
    tool_call_id: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None


class _FunctionTool(Struct):
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class _Tool(Struct):
    type: Literal["function"]
    function: _FunctionTool


class _StreamOptions(Struct):
    include_usage: bool | None = None


class _Isthmus(Struct, forbid_unknown_fields=True):
    """Our own extension. A request's hand-off mode counts where it is stricter than the settings'."""

    handoff: HandoffMode | None = None


class _ChatRequest(Struct):
    messages: Annotated[list[_Message], Meta(min_length=1)]
    model: str | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: _Tokens | None = None
    max_completion_tokens: _Tokens | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    stop: str | list[str] | None = None
    presence_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    logit_bias: dict[str, int | float] | None = None
    n: Annotated[int, Meta(ge=1, le=16)] | None = None
    reasoning_effort: Effort | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=MAX_TOP_LOGPROBS)] | None = None
    tools: list[_Tool] | None = None
    tool_choice: _NamedChoice | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, Any] | None = None
    truncation: _Truncation | None = None  # as the Responses API has it; never passed on
    isthmus: _Isthmus | None = None
    # Known, without effect here, so not worth a warning.
    user: str | None = None
    metadata: dict[str, Any] | None = None
    store: bool | None = None


_WORDS: Mapping[str, Any] = {
    "role": Role,
    "type": Literal["function"],
    "reasoning_effort": Effort,
    "tool_choice": _NamedChoice,
    "handoff": HandoffMode,
    "truncation": _Truncation,
}
"""The closed sets, by the name of the parameter."""

_KNOWN = frozenset(_ChatRequest.__struct_fields__)
_DECODER = msgspec.json.Decoder(_ChatRequest)
_KEYS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ENCODER = msgspec.json.Encoder()


class ChatCall(Call, frozen=True, kw_only=True):
    """A parsed request: what to generate, and how to send it back."""

    include_usage: bool


def parse_chat(body: bytes) -> ChatCall:
    """Read a Chat Completions request.

    Raises:
        RequestError: Not JSON, or a parameter of the wrong type or out of range; ``param`` names it.
    """
    try:
        asked = _DECODER.decode(body)
        ignored = tuple(sorted(_KEYS.decode(body).keys() - _KNOWN))
    except msgspec.ValidationError as error:
        raise _misfit(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(f"the body is not valid JSON: {error}") from error
    request = GenerationRequest(
        messages=tuple(_message(m, i) for i, m in enumerate(asked.messages)),
        max_tokens=asked.max_completion_tokens or asked.max_tokens,
        temperature=asked.temperature,
        top_p=asked.top_p,
        seed=asked.seed,
        stop=(asked.stop,) if isinstance(asked.stop, str) else tuple(asked.stop or ()),
        presence_penalty=asked.presence_penalty,
        frequency_penalty=asked.frequency_penalty,
        logit_bias=asked.logit_bias,
        n=asked.n or 1,
        effort=asked.reasoning_effort,
        top_logprobs=(asked.top_logprobs or 0) if asked.logprobs else None,
        tools=tuple(
            Tool(t.function.name, t.function.description, t.function.parameters, t.function.strict)
            for t in asked.tools or ()
        ),
        tool_choice=asked.tool_choice,
        parallel_tool_calls=asked.parallel_tool_calls,
        response_format=asked.response_format,
        truncation="oldest" if asked.truncation == "auto" else "none",
    )
    return ChatCall(
        request=request,
        model=asked.model,
        stream=bool(asked.stream),
        include_usage=bool(asked.stream_options and asked.stream_options.include_usage),
        handoff=asked.isthmus.handoff if asked.isthmus else None,
        ignored=ignored,
    )


_WORD = re.compile(r"Invalid enum value (.*)", re.DOTALL)
_FIELD = re.compile(r"Object (?P<fault>missing required|contains unknown) field `(?P<name>.*)`", re.DOTALL)
_FIELD_FAULTS = {"missing required": "required", "contains unknown": "not a parameter"}


def _misfit(error: str) -> RequestError:
    """What msgspec says doesn't fit, by the name of its parameter."""
    text, mark, where = error.rpartition(" - at `$")
    if not mark:
        text, where = error, ""
    param = where.rstrip("`").lstrip(".").replace("[...]", "")
    if field := _FIELD.fullmatch(text):
        param = f"{param}.{field['name']}".lstrip(".")
        return RequestError(f"{param} is {_FIELD_FAULTS[field['fault']]}", param=param)
    if value := _WORD.fullmatch(text):
        words = ", ".join(get_args(_WORDS[param.rpartition(".")[2]]))
        return RequestError(f"{param}: {value[1]} is not one of {words}", param=param)
    told = text[:1].lower() + text[1:]
    return RequestError(f"{param}: {told}" if param else f"the body: {told}", param=param or None)


def _message(asked: _Message, number: int) -> Message:
    content: str | tuple[Part, ...]
    if isinstance(asked.content, list):
        content = tuple(
            _part(part, f"messages[{number}].content[{place}]") for place, part in enumerate(asked.content)
        )
    else:
        content = asked.content or ""
    calls = asked.tool_calls or []
    return Message(
        role=asked.role,
        content=content,
        name=asked.name,
        reasoning=asked.reasoning if asked.reasoning is not None else asked.reasoning_content,
        tool_calls=tuple(ToolCall(c.id, c.function.name, c.function.arguments) for c in calls),
        tool_call_id=asked.tool_call_id,
    )


def _part(part: _ContentPart, param: str) -> Part:
    if part.type == "text" and part.text is not None:
        return TextPart(part.text)
    if part.type == "refusal" and part.refusal is not None:
        return TextPart(part.refusal)
    if part.type == "image_url" and part.image_url is not None:
        return ImagePart(part.image_url.url, part.image_url.detail)
    raise RequestError(f"{param}: a part of type {part.type!r} can't be read here", param=param)


# ---------------------------------------------------------------- and back


def render_chat(request: GenerationRequest, model: str, dialect: Dialect) -> bytes:
    """The body of a streaming call upstream; parameters that were not given are not sent.

    Raises:
        RequestError: A schema in it is nested too deeply.
    """
    body: dict[str, Any] = {
        "model": model,
        "messages": [_render_message(m, dialect) for m in request.messages],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    optional: Mapping[str, Any] = {
        "max_completion_tokens" if dialect == "openai" else "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "seed": request.seed,
        "stop": list(request.stop) or None,
        "presence_penalty": request.presence_penalty,
        "frequency_penalty": request.frequency_penalty,
        "logit_bias": request.logit_bias,
        "n": request.n if request.n > 1 else None,
        "tools": [{"type": "function", "function": _render_tool(t)} for t in request.tools] or None,
        "tool_choice": request.tool_choice,
        "parallel_tool_calls": request.parallel_tool_calls,
        "response_format": request.response_format,
    }
    body |= {name: value for name, value in optional.items() if value is not None}
    if request.top_logprobs is not None:
        # llama.cpp takes "no alternatives" for "no log-probabilities at all".
        least = 1 if dialect == "llama" else 0
        body |= {"logprobs": True, "top_logprobs": max(request.top_logprobs, least)}
    if request.effort is not None:
        body |= _render_effort(request.effort, dialect)
    try:
        return _ENCODER.encode(body)
    except RecursionError as error:
        raise RequestError("the request is nested too deeply to be passed on") from error


def _render_effort(effort: Effort, dialect: Dialect) -> dict[str, Any]:
    if dialect != "llama":
        return {"reasoning_effort": effort}
    # Templates differ: gpt-oss reads reasoning_effort, Qwen3 enable_thinking. One that knows neither
    # passes over both.
    template = {"reasoning_effort": effort, "enable_thinking": effort != "none"}
    return {"reasoning_effort": effort, "chat_template_kwargs": template}


def _render_message(message: Message, dialect: Dialect) -> dict[str, Any]:
    # Open models' templates know no developer role; to them it is the system's.
    role = "system" if message.role == "developer" and dialect != "openai" else message.role
    content = message.content
    rendered: dict[str, Any] = {
        "role": role,
        "content": content if isinstance(content, str) else [_render_part(part) for part in content],
    }
    if message.name is not None:
        rendered["name"] = message.name
    if message.tool_calls:
        rendered["tool_calls"] = [
            {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}}
            for c in message.tool_calls
        ]
    if message.tool_call_id is not None:
        rendered["tool_call_id"] = message.tool_call_id
    # A thought stays with the model that had it: hosted models get the answers only.
    if message.reasoning is not None and dialect in ("llama", "runner"):
        rendered["reasoning_content"] = message.reasoning
    return rendered


def _render_part(part: Part) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    image = {"url": part.url} if part.detail is None else {"url": part.url, "detail": part.detail}
    return {"type": "image_url", "image_url": image}


def _render_tool(tool: Tool) -> dict[str, Any]:
    fields = {"description": tool.description, "parameters": tool.parameters, "strict": tool.strict}
    return {"name": tool.name} | {name: value for name, value in fields.items() if value is not None}


__all__ = ["ChatCall", "Dialect", "parse_chat", "render_chat"]
