"""Chat Completions requests, as a server: JSON to `GenerationRequest`."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from isthmus.errors import RequestError
from isthmus.messages import Effort, HandoffMode, Role, Tool
from isthmus.wire.call import Call, StreamOptions
from isthmus.wire.chat_messages import ChatMessage, read_messages
from isthmus.wire.choices import check_tools, choose
from isthmus.wire.decoding import BodyDecoder
from isthmus.wire.forms import read_form
from isthmus.wire.sampling import Sampled, Tokens, read_limit, read_sampled

MAX_TOP_LOGPROBS = 20

_NamedChoice: TypeAlias = Literal["auto", "none", "required"]
_Truncation: TypeAlias = Literal["auto", "disabled"]
_Level: TypeAlias = Literal["low", "medium", "high"]

# ---------------------------------------------------------------- shapes, as OpenAI publishes them


class _FunctionTool(Struct):
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class _Tool(Struct):
    type: Literal["function"]
    function: _FunctionTool


class _ChatRequest(Sampled, kw_only=True):
    messages: Annotated[list[ChatMessage], Meta(min_length=1)]
    model: str | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None
    n: Annotated[int, Meta(ge=1, le=16)] | None = None
    reasoning_effort: Effort | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=MAX_TOP_LOGPROBS)] | None = None
    tools: list[_Tool] | None = None
    tool_choice: _NamedChoice | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, Any] | None = None
    modalities: list[str] | None = None
    # What open models' servers take beside it.
    thinking_budget_tokens: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    chat_template_kwargs: dict[str, Any] | None = None
    add_generation_prompt: bool | None = None
    truncation: _Truncation | None = None  # as the Responses API has it; never passed on
    # Refused by name: without them the answer would mean something else.
    functions: Any = None
    function_call: Any = None
    audio: Any = None
    web_search_options: Any = None
    # Known, without effect here, so not worth a warning.
    user: str | None = None
    metadata: dict[str, Any] | None = None
    store: bool | None = None
    prediction: dict[str, Any] | None = None
    service_tier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    prompt_cache_options: dict[str, Any] | None = None
    safety_identifier: str | None = None
    # Known, without effect, and worth one.
    verbosity: _Level | None = None


REQUEST = _ChatRequest
"""The shape of a request, for the OpenAPI document."""

_WORDS: Mapping[str, Any] = {
    "role": Role,
    "type": Literal["function"],
    "reasoning_effort": Effort,
    "tool_choice": _NamedChoice,
    "handoff": HandoffMode,
    "truncation": _Truncation,
    "verbosity": _Level,
}
"""The closed sets, by the name of the parameter."""

_REFUSED: Mapping[str, tuple[str, str | None]] = {
    "functions": ("is the older form of tools, which isn't spoken here", "send tools"),
    "function_call": ("is the older form of tool_choice, which isn't spoken here", "send tool_choice"),
    "audio": ("asks for speech, and answers are text here", None),
    "web_search_options": (
        "asks for a search of the web, which is not done here",
        "bring a tool of your own",
    ),
}

_DECODER = BodyDecoder(_ChatRequest, _WORDS)


class ChatCall(Call, frozen=True, kw_only=True):
    """A parsed request: what to generate, and how to send it back."""

    include_usage: bool


def parse_chat(body: bytes) -> ChatCall:
    """Read a Chat Completions request.

    Raises:
        RequestError: Not JSON, or a parameter of the wrong type, out of range, or beyond what is done here;
            ``param`` names it.
    """
    asked = _DECODER.decode(body)
    ignored = _DECODER.unknown(body)
    _refuse_what_is_not_done(asked)
    tools = check_tools(
        Tool(t.function.name, t.function.description, t.function.parameters, t.function.strict)
        for t in asked.tools or ()
    )
    choice = choose(tools, asked.tool_choice)
    beside = "tools" if choice.tools and choice.choice != "none" else None
    form = read_form(asked.response_format, asked.json_schema, asked.grammar, beside=beside)
    limit = read_limit(asked.n_predict)
    sampled = read_sampled(
        asked,
        max_tokens=asked.max_completion_tokens or asked.max_tokens or limit,
        form=form,
        n=asked.n or 1,
        top_logprobs=_rivals(asked),
    )
    request = msgspec.structs.replace(
        sampled,
        messages=read_messages(asked.messages),
        max_total=asked.max_completion_tokens,
        effort=asked.reasoning_effort,
        tools=choice.tools,
        tool_choice=choice.choice,
        parallel_tool_calls=asked.parallel_tool_calls,
        truncation="oldest" if asked.truncation == "auto" else "none",
        reasoning_budget=asked.thinking_budget_tokens,
        template=asked.chat_template_kwargs or None,
    )
    return ChatCall(
        request=request,
        model=asked.model,
        stream=bool(asked.stream),
        include_usage=bool(asked.stream_options and asked.stream_options.include_usage),
        handoff=asked.isthmus.handoff if asked.isthmus else None,
        ignored=ignored if asked.verbosity is None else (*ignored, "verbosity"),
    )


def _refuse_what_is_not_done(asked: _ChatRequest) -> None:
    for name, (why, hint) in _REFUSED.items():
        if getattr(asked, name) is not None:
            raise RequestError(f"{name} {why}", hint=hint, param=name)
    if asked.add_generation_prompt is False:
        raise RequestError(
            "add_generation_prompt: prompts always end where the model's turn begins",
            param="add_generation_prompt",
        )
    for modality in asked.modalities or ():
        if modality != "text":
            raise RequestError(
                f"modalities: {modality[:50]!r} is not given here, only text", param="modalities"
            )


def _rivals(asked: _ChatRequest) -> int | None:
    if asked.logprobs:
        return asked.top_logprobs or 0
    if asked.top_logprobs is not None:
        raise RequestError("top_logprobs takes logprobs: true beside it", param="top_logprobs")
    return None


__all__ = ["REQUEST", "ChatCall", "parse_chat"]
