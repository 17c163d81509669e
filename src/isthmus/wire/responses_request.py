"""Responses requests: JSON to a `ResponsesRequest`, and with its conversation to a `Call`."""

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from isthmus.errors import RequestError
from isthmus.messages import Effort, GenerationRequest, HandoffMode, Message, Route
from isthmus.wire.call import Call, Extension, is_marked
from isthmus.wire.decoding import BodyDecoder
from isthmus.wire.images import MAX_IMAGES
from isthmus.wire.response_format import json_schema
from isthmus.wire.responses_items import Item, as_messages, read_input, tools_in
from isthmus.wire.responses_tools import GivenTool, Toolbox

_Choice: TypeAlias = Literal["auto", "none", "required"]
_Summary: TypeAlias = Literal["auto", "concise", "detailed"]
_Truncation: TypeAlias = Literal["auto", "disabled"]
_Verbosity: TypeAlias = Literal["low", "medium", "high"]
_Format: TypeAlias = Literal["text", "json_object", "json_schema"]
_Penalty: TypeAlias = Annotated[float, Meta(ge=-2, le=2)]
Count: TypeAlias = Annotated[int, Meta(ge=1, le=2**31 - 1)]
_Metadata: TypeAlias = Annotated[
    dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=512)]], Meta(max_length=16)
]

# ---------------------------------------------------------------- shapes, as OpenAI publishes them


class _Reasoning(Struct):
    effort: Effort | None = None
    summary: _Summary | None = None
    generate_summary: _Summary | None = None  # what `summary` was called at first


class _TextFormat(Struct):
    type: _Format
    name: str | None = None
    schema: dict[str, Any] | None = None
    description: str | None = None
    strict: bool | None = None


class _Text(Struct):
    format: _TextFormat | None = None
    verbosity: _Verbosity | None = None


class ResponsesRequest(Struct):
    """A request as it came. What has no effect here, and is no reason for a warning, stands at its end."""

    model: str | None = None
    input: str | list[dict[str, Any]] | None = None
    instructions: str | None = None
    previous_response_id: str | None = None
    store: bool | None = None
    background: bool | None = None
    stream: bool | None = None
    include: list[str] | None = None
    tools: list[GivenTool] | None = None
    tool_choice: _Choice | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    text: _Text | None = None
    reasoning: _Reasoning | None = None
    max_output_tokens: Count | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    presence_penalty: _Penalty | None = None
    frequency_penalty: _Penalty | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    truncation: _Truncation | None = None
    isthmus: Extension | None = None
    conversation: Any = None
    prompt: Any = None
    max_tool_calls: Count | None = None  # of hosted tools, of which there are none
    metadata: _Metadata | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: Any = None
    prompt_cache_retention: Any = None
    safety_identifier: str | None = None
    user: str | None = None
    service_tier: str | None = None
    stream_options: Any = None
    client_metadata: Any = None
    context_management: Any = None


_DECODER = BodyDecoder(
    ResponsesRequest,
    {
        "tool_choice": _Choice,
        "effort": Effort,
        "summary": _Summary,
        "generate_summary": _Summary,
        "truncation": _Truncation,
        "verbosity": _Verbosity,
        "type": _Format,
        "handoff": HandoffMode,
    },
)
_INCLUDED = frozenset({"message.output_text.logprobs", "reasoning.encrypted_content"})
"""What can be included, or is there already: thinking is given as it is, unencrypted."""
_UNSUPPORTED = {
    "conversation": "previous_response_id continues a conversation",
    "prompt": "instructions and input say what a prompt would",
}
"""What can't be passed over without changing the meaning, and what to do instead."""


class ResponsesCall(Call, frozen=True, kw_only=True):
    """A request with its conversation, and how its answer is to be told."""

    echo: bytes
    """The fields of the response that say what was asked, as a JSON object."""
    toolbox: Toolbox
    items: list[Item]
    """Its own input."""
    history: list[Item]
    """The conversation that it continues."""
    previous_id: str | None = None
    """The response that it continues."""
    store: bool = True
    background: bool = False
    summary: bool = False
    """Whether thinking is also given as a summary."""

    @property
    def whole(self) -> bool:
        """Whether nobody sees anything before the end: what is made in the background can be watched."""
        return not (self.stream or self.background)


class Asked(Struct, frozen=True):
    """A request that is read, but for the conversation before it."""

    given: ResponsesRequest
    items: list[Item]
    """Its own input, as it is kept; a reference among them is still one."""
    ignored: tuple[str, ...]
    store: bool

    @property
    def refers(self) -> bool:
        """Whether something of its conversation must be looked up."""
        previous = self.given.previous_response_id is not None
        return previous or any(item["type"] == "item_reference" for item in self.items)

    def call(self, history: list[Item], items: list[Item]) -> ResponsesCall:
        """What to generate.

        Args:
            history: The items of the conversation that it continues.
            items: Its own, with no references among them.

        Raises:
            RequestError: There is nothing to answer, or a tool is demanded that isn't there.
        """
        given, conversation = self.given, [*history, *items]
        toolbox = Toolbox(given.tools or (), tools_in(conversation))
        tools, choice = toolbox.choose(given.tool_choice)
        messages, left_out = as_messages(conversation, toolbox)
        if given.instructions:
            messages.insert(0, Message("system", given.instructions))
        if not messages:
            raise RequestError("input is required: there is nothing to answer", param="input")
        if sum(message.images for message in messages) > MAX_IMAGES:
            raise RequestError(f"there are more than {MAX_IMAGES} images", param="input")
        reasoning = given.reasoning or _Reasoning()
        include = given.include or ()
        scored = bool(given.top_logprobs) or "message.output_text.logprobs" in include
        request = GenerationRequest(
            messages=tuple(messages),
            max_tokens=given.max_output_tokens,
            max_total=given.max_output_tokens,
            temperature=given.temperature,
            top_p=given.top_p,
            presence_penalty=given.presence_penalty,
            frequency_penalty=given.frequency_penalty,
            effort=reasoning.effort,
            top_logprobs=(given.top_logprobs or 0) if scored else None,
            tools=tools,
            tool_choice=choice,
            parallel_tool_calls=given.parallel_tool_calls,
            truncation="oldest" if given.truncation == "auto" else "none",
            response_format=_response_format(given),
            home_only=is_marked(given.isthmus),
        )
        dropped = [f"tools.{kind}" for kind in toolbox.dropped] + [f"input.{kind}" for kind in left_out]
        return ResponsesCall(
            request=request,
            model=given.model,
            stream=bool(given.stream),
            handoff=given.isthmus.handoff if given.isthmus else None,
            ignored=(*self.ignored, *dict.fromkeys(dropped)),
            echo=_encoded(_echo(given, toolbox, self.store)),
            toolbox=toolbox,
            items=items,
            history=history,
            previous_id=given.previous_response_id,
            store=self.store,
            background=bool(given.background),
            summary=bool(reasoning.summary or reasoning.generate_summary),
        )


def stays_home(call: ResponsesCall, route: Route | None) -> bool:
    """Whether a response, and what is kept of its conversation, stays home."""
    request = call.request
    flagged = request.home_only or any(message.home_only for message in request.messages)
    return flagged or (route is not None and route.decision.reason == "home_only")


def parse_responses(body: bytes, *, keeps: bool = True) -> Asked:
    """Read a Responses request.

    Args:
        body: JSON.
        keeps: Whether responses are kept here at all.

    Raises:
        RequestError: Not JSON, or a parameter of the wrong type or out of range; ``param`` names it.
    """
    given = _DECODER.decode(body)
    for name, instead in _UNSUPPORTED.items():
        if getattr(given, name) is not None:
            raise RequestError(f"{name} is not supported here", hint=instead, param=name)
    store = keeps and given.store is not False
    if given.background and not store:
        raise RequestError("background needs store: the response is fetched later", param="background")
    ignored = list(_DECODER.unknown(body))
    if given.text is not None and given.text.verbosity not in (None, "medium"):
        ignored.append("text.verbosity")
    ignored += [f"include.{name}" for name in given.include or () if name not in _INCLUDED]
    if given.store and not keeps:
        ignored.append("store")
    return Asked(given, read_input(given.input), tuple(ignored), store)


def _response_format(given: ResponsesRequest) -> dict[str, Any] | None:
    wanted = given.text.format if given.text else None
    if wanted is None or wanted.type == "text":
        return None
    if wanted.type == "json_object":
        return {"type": "json_object"}
    return json_schema(wanted.name or "answer", wanted.schema, wanted.strict, "text.format.schema")


def _echo(given: ResponsesRequest, toolbox: Toolbox, store: bool) -> dict[str, Any]:
    """What a response says of its request; a number that wasn't given is OpenAI's default."""
    reasoning = given.reasoning or _Reasoning()
    return {
        "object": "response",
        "instructions": given.instructions,
        "previous_response_id": given.previous_response_id,
        "store": store,
        "background": bool(given.background),
        "tools": toolbox.shown,
        "tool_choice": _echoed_choice(given.tool_choice),
        "parallel_tool_calls": given.parallel_tool_calls is not False,
        "text": _echoed_text(given.text or _Text()),
        "reasoning": {
            "effort": reasoning.effort,
            "summary": reasoning.summary or reasoning.generate_summary,
        },
        "max_output_tokens": given.max_output_tokens,
        "max_tool_calls": given.max_tool_calls,
        "temperature": 1.0 if given.temperature is None else given.temperature,
        "top_p": 1.0 if given.top_p is None else given.top_p,
        "presence_penalty": given.presence_penalty or 0.0,
        "frequency_penalty": given.frequency_penalty or 0.0,
        "top_logprobs": given.top_logprobs or 0,
        "truncation": given.truncation or "disabled",
        "metadata": given.metadata or {},
        "prompt_cache_key": given.prompt_cache_key,
        "safety_identifier": given.safety_identifier,
        "user": given.user,
        "service_tier": "default",
    }


def _echoed_choice(choice: str | dict[str, Any] | None) -> str | dict[str, Any]:
    if isinstance(choice, dict) and choice.get("type") == "allowed_tools":
        return choice | {"mode": choice.get("mode") or "auto"}
    return choice or "auto"


def _echoed_text(text: _Text) -> dict[str, Any]:
    wanted = text.format or _TextFormat("text")
    shown: dict[str, Any] = {"type": wanted.type}
    if wanted.type == "json_schema":
        shown |= {
            "name": wanted.name or "",
            "description": wanted.description,
            "schema": wanted.schema,
            "strict": bool(wanted.strict),
        }
    return {"format": shown, "verbosity": text.verbosity or "medium"}


def _encoded(echo: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(echo)
    except RecursionError as error:
        raise RequestError("the request is nested too deeply to be answered") from error
