"""Messages requests, as Anthropic's API takes them: JSON to a `GenerationRequest`."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from isthmus.messages import Effort, GenerationRequest, HandoffMode, Tool, ToolChoice
from isthmus.wire.call import Call, Extension, is_marked
from isthmus.wire.chat_messages import MAX_MESSAGES
from isthmus.wire.choices import choose
from isthmus.wire.decoding import BodyDecoder
from isthmus.wire.messages_blocks import TextBlock
from isthmus.wire.messages_tools import ToolDefinition, read_tools
from isthmus.wire.messages_turns import Conversation, Turn
from isthmus.wire.response_format import json_schema
from isthmus.wire.sampling import MAX_STOP_LENGTH, MAX_STOPS, Share, Temperature, Tokens

_Stop: TypeAlias = Annotated[str, Meta(min_length=1, max_length=MAX_STOP_LENGTH)]
_Level: TypeAlias = Literal[
    "none", "minimal", "low", "medium", "high", "xhigh", "max"
]  # its own begin with low
_Display: TypeAlias = Literal["summarized", "omitted"]
_Choice: TypeAlias = Literal["auto", "any", "tool", "none"]

_LOW_BUDGET, _MEDIUM_BUDGET = 4096, 16384
"""Up to so many tokens of thinking pass for low and for medium effort, with models that know only those."""

# ---------------------------------------------------------------- shapes, as Anthropic publishes them


class _Enabled(Struct, tag="enabled"):
    budget_tokens: Tokens
    display: _Display | None = None


class _Adaptive(Struct, tag="adaptive"):
    display: _Display | None = None


class _BetweenTools(Struct, tag="between_tools"):
    pass


class _Disabled(Struct, tag="disabled"):
    pass


class _Format(Struct, tag="json_schema"):
    schema: dict[str, Any]


class _OutputConfig(Struct):
    effort: _Level | None = None
    format: _Format | None = None


class _ToolChoice(Struct):
    type: _Choice
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class PromptRequest(Struct, kw_only=True):
    """What a prompt is made of."""

    messages: Annotated[list[Turn], Meta(min_length=1, max_length=MAX_MESSAGES)]
    model: str | None = None
    system: str | list[TextBlock] | None = None
    tools: list[ToolDefinition] | None = None
    tool_choice: _ToolChoice | None = None
    thinking: _Enabled | _Adaptive | _BetweenTools | _Disabled | None = None
    output_config: _OutputConfig | None = None
    output_format: _Format | None = None  # what output_config.format was called
    isthmus: Extension | None = None
    # Known, without effect here, so not worth a warning.
    anthropic_beta: Any = None
    anthropic_version: Any = None
    betas: Any = None
    cache_control: Any = None
    inference_geo: str | None = None
    metadata: dict[str, Any] | None = None
    service_tier: str | None = None
    speed: str | None = None
    user_profile_id: str | None = None


class MessagesRequest(PromptRequest, kw_only=True):
    """A conversation to continue."""

    max_tokens: Tokens
    stream: bool | None = None
    stop_sequences: Annotated[list[_Stop], Meta(max_length=MAX_STOPS)] | None = None
    temperature: Temperature | None = None
    top_p: Share | None = None
    top_k: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None


_WORDS: Mapping[str, Any] = {
    "role": Literal["user", "assistant", "system"],
    "effort": _Level,
    "display": _Display,
    "type": _Choice,
    "handoff": HandoffMode,
}
"""The closed sets, by the name of the parameter."""

_MESSAGES = BodyDecoder(MessagesRequest, _WORDS)
_PROMPT = BodyDecoder(PromptRequest, _WORDS)

# ---------------------------------------------------------------- what they come to


class MessagesCall(Call, frozen=True, kw_only=True):
    """A parsed request: what to generate, and how to send it back."""

    max_tokens: int
    show_thinking: bool
    """Whether thinking is sent, or only that there was some."""


def parse_messages(body: bytes) -> MessagesCall:
    """Read a request for a message.

    Raises:
        RequestError: Not JSON, or a parameter of the wrong type or out of range; ``param`` names it.
    """
    asked = _MESSAGES.decode(body)
    request, dropped = _prompt(asked)
    return MessagesCall(
        request=_with_sampling(request, asked),
        model=asked.model,
        stream=bool(asked.stream),
        max_tokens=asked.max_tokens,
        show_thinking=getattr(asked.thinking, "display", None) != "omitted",
        handoff=asked.isthmus.handoff if asked.isthmus else None,
        ignored=(*_MESSAGES.unknown(body), *dropped),
    )


def parse_count(body: bytes) -> Call:
    """Read a request to count a prompt's tokens.

    Raises:
        RequestError: As `parse_messages`.
    """
    asked = _PROMPT.decode(body)
    request, dropped = _prompt(asked)
    # What a message takes beside its prompt changes nothing of how long the prompt is.
    ignored = (*_MESSAGES.unknown(body), *dropped)
    return Call(request=request, model=asked.model, stream=False, ignored=ignored)


def _prompt(asked: PromptRequest) -> tuple[GenerationRequest, list[str]]:
    """What the prompt is made of, and what of it is not for the model here."""
    conversation = Conversation(asked.system)
    for number, turn in enumerate(asked.messages):
        conversation.add(turn, f"messages[{number}]")
    tools, dropped = read_tools(asked.tools or [])
    choice = asked.tool_choice
    budget = asked.thinking.budget_tokens if isinstance(asked.thinking, _Enabled) else None
    request = GenerationRequest(
        messages=conversation.messages,
        effort=_effort(asked),
        reasoning_budget=budget,
        tools=tools,
        tool_choice=_tool_choice(choice, tools),
        parallel_tool_calls=False if choice and choice.disable_parallel_tool_use else None,
        response_format=_response_format(asked),
        home_only=is_marked(asked.isthmus),
    )
    return request, [*conversation.dropped, *dropped]


def _with_sampling(request: GenerationRequest, asked: MessagesRequest) -> GenerationRequest:
    return msgspec.structs.replace(
        request,
        max_tokens=asked.max_tokens,
        max_total=asked.max_tokens,
        stop=tuple(asked.stop_sequences or ()),
        temperature=asked.temperature,
        top_p=asked.top_p,
        top_k=asked.top_k,
    )


def _effort(asked: PromptRequest) -> Effort | None:
    """How hard to think; None leaves it to the model."""
    level = asked.output_config.effort if asked.output_config else None
    match asked.thinking:
        case _Disabled():
            return "none"
        case _Enabled(budget) if level is None:
            return "low" if budget <= _LOW_BUDGET else "medium" if budget <= _MEDIUM_BUDGET else "high"
        case _:
            return "xhigh" if level == "max" else level


def _tool_choice(choice: _ToolChoice | None, tools: tuple[Tool, ...]) -> ToolChoice | None:
    match choice:
        case None:
            return None
        case _ToolChoice("any"):
            return choose(tools, "required").choice
        case _ToolChoice("tool", name):
            return choose(tools, {"type": "function", "name": name}).choice
        case _:
            return choose(tools, choice.type).choice


def _response_format(asked: PromptRequest) -> dict[str, Any] | None:
    if asked.output_config and asked.output_config.format:
        schema, param = asked.output_config.format.schema, "output_config.format.schema"
    elif asked.output_format:
        schema, param = asked.output_format.schema, "output_format.schema"
    else:
        return None
    return json_schema("answer", schema, True, param)
