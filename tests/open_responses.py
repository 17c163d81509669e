"""What Open Responses (openresponses.org, 2026-04-24) asks of an answer, as shapes that JSON must fit.

A field without a default must be there, null only where its type says so; one with `UNSET` may be left out,
and isn't null. What a shape doesn't name may be there besides. In two places that specification isn't kept,
because OpenAI's own clients expect otherwise: what it calls ``response.reasoning.delta`` and ``.done`` are
``response.reasoning_text.delta`` and ``.done``, and a ``json_schema`` format has its schema, not null.
"""

from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Struct, UnsetType

Status: TypeAlias = Literal["in_progress", "completed", "incomplete"]
Choice: TypeAlias = Literal["none", "auto", "required"]

# ---------------------------------------------------------------- parts


class TopLogprob(Struct):
    token: str
    logprob: float
    bytes: list[int]


class Logprob(TopLogprob):
    top_logprobs: list[TopLogprob]


class Citation(Struct, tag="url_citation"):
    url: str
    start_index: int
    end_index: int
    title: str


class Text(Struct):
    text: str


class InputText(Text, tag="input_text"):
    pass


class PlainText(Text, tag="text"):
    pass


class SummaryText(Text, tag="summary_text"):
    pass


class ReasoningText(Text, tag="reasoning_text"):
    pass


class OutputText(Text, tag="output_text"):
    annotations: list[Citation]
    logprobs: list[Logprob] | UnsetType = UNSET


class Refusal(Struct, tag="refusal"):
    refusal: str


class InputImage(Struct, tag="input_image"):
    image_url: str | None
    detail: Literal["low", "high", "auto"]


Part: TypeAlias = InputText | PlainText | SummaryText | ReasoningText | OutputText | Refusal | InputImage

# ---------------------------------------------------------------- items


class Message(Struct, tag="message"):
    id: str
    status: Status
    role: Literal["user", "assistant", "system", "developer"]
    content: list[Part]
    phase: Literal["commentary", "final_answer"] | UnsetType = UNSET


class FunctionCall(Struct, tag="function_call"):
    id: str
    call_id: str
    name: str
    arguments: str
    status: Status


class FunctionCallOutput(Struct, tag="function_call_output"):
    id: str
    call_id: str
    output: str | list[InputText | InputImage]
    status: Status


class Reasoning(Struct, tag="reasoning"):
    id: str
    summary: list[Part]
    content: list[Part] | UnsetType = UNSET
    encrypted_content: str | UnsetType = UNSET


class Compaction(Struct, tag="compaction"):
    id: str
    encrypted_content: str
    created_by: str | UnsetType = UNSET


Item: TypeAlias = Message | FunctionCall | FunctionCallOutput | Reasoning | Compaction

# ---------------------------------------------------------------- a response


class Fault(Struct):
    code: str
    message: str


class Incomplete(Struct):
    reason: str


class FunctionTool(Struct, tag="function"):
    name: str
    description: str | None
    parameters: dict[str, Any] | None
    strict: bool | None


class NamedChoice(Struct, tag="function"):
    name: str | UnsetType = UNSET


class AllowedChoice(Struct, tag="allowed_tools"):
    tools: list[NamedChoice]
    mode: Choice


class FreeText(Struct, tag="text"):
    pass


class JsonObject(Struct, tag="json_object"):
    pass


class JsonSchema(Struct, tag="json_schema"):
    name: str
    description: str | None
    schema: dict[str, Any] | None
    strict: bool


class TextSettings(Struct):
    format: FreeText | JsonObject | JsonSchema
    verbosity: Literal["low", "medium", "high"] | UnsetType = UNSET


class ReasoningSettings(Struct):
    effort: Literal["none", "low", "medium", "high", "xhigh"] | None
    summary: Literal["concise", "detailed", "auto"] | None


class InputDetails(Struct):
    cached_tokens: int


class OutputDetails(Struct):
    reasoning_tokens: int


class Usage(Struct):
    input_tokens: int
    output_tokens: int
    total_tokens: int
    input_tokens_details: InputDetails
    output_tokens_details: OutputDetails


class Response(Struct):
    id: str
    object: Literal["response"]
    created_at: int
    completed_at: int | None
    status: str
    incomplete_details: Incomplete | None
    model: str
    previous_response_id: str | None
    instructions: str | None
    output: list[Item]
    error: Fault | None
    tools: list[FunctionTool]
    tool_choice: Choice | NamedChoice | AllowedChoice
    truncation: Literal["auto", "disabled"]
    parallel_tool_calls: bool
    text: TextSettings
    top_p: float
    presence_penalty: float
    frequency_penalty: float
    top_logprobs: int
    temperature: float
    reasoning: ReasoningSettings | None
    usage: Usage | None
    max_output_tokens: int | None
    max_tool_calls: int | None
    store: bool
    background: bool
    service_tier: str
    metadata: Any
    safety_identifier: str | None
    prompt_cache_key: str | None


class Compacted(Struct):
    id: str
    object: Literal["response.compaction"]
    output: list[Item]
    created_at: int
    usage: Usage


# ---------------------------------------------------------------- events


class Event(Struct):
    sequence_number: int


class Created(Event, tag="response.created"):
    response: Response


class Queued(Event, tag="response.queued"):
    response: Response


class InProgress(Event, tag="response.in_progress"):
    response: Response


class Completed(Event, tag="response.completed"):
    response: Response


class Failed(Event, tag="response.failed"):
    response: Response


class CutShort(Event, tag="response.incomplete"):
    response: Response


class ItemAdded(Event, tag="response.output_item.added"):
    output_index: int
    item: Item | None


class ItemDone(Event, tag="response.output_item.done"):
    output_index: int
    item: Item | None


class OfItem(Event):
    item_id: str
    output_index: int


class OfContent(OfItem):
    content_index: int


class OfSummary(OfItem):
    summary_index: int


class PartAdded(OfContent, tag="response.content_part.added"):
    part: Part


class PartDone(OfContent, tag="response.content_part.done"):
    part: Part


class TextDelta(OfContent, tag="response.output_text.delta"):
    delta: str
    logprobs: list[Logprob] | UnsetType = UNSET


class TextDone(OfContent, tag="response.output_text.done"):
    text: str
    logprobs: list[Logprob] | UnsetType = UNSET


class ReasoningDelta(OfContent, tag="response.reasoning_text.delta"):
    delta: str


class ReasoningDone(OfContent, tag="response.reasoning_text.done"):
    text: str


class SummaryAdded(OfSummary, tag="response.reasoning_summary_part.added"):
    part: Part


class SummaryDone(OfSummary, tag="response.reasoning_summary_part.done"):
    part: Part


class SummaryDelta(OfSummary, tag="response.reasoning_summary_text.delta"):
    delta: str


class SummaryTextDone(OfSummary, tag="response.reasoning_summary_text.done"):
    text: str


class ArgumentsDelta(OfItem, tag="response.function_call_arguments.delta"):
    delta: str


class ArgumentsDone(OfItem, tag="response.function_call_arguments.done"):
    arguments: str


class ErrorPayload(Struct):
    type: str
    code: str | None
    message: str
    param: str | None


class Error(Event, tag="error"):
    error: ErrorPayload


_SHAPES: tuple[type[Event], ...] = (
    *(Created, Queued, InProgress, Completed, Failed, CutShort, ItemAdded, ItemDone, PartAdded, PartDone),
    *(TextDelta, TextDone, ReasoningDelta, ReasoningDone, SummaryAdded, SummaryDone, SummaryDelta),
    *(SummaryTextDone, ArgumentsDelta, ArgumentsDone, Error),
)
EVENTS = {shape.__struct_config__.tag: shape for shape in _SHAPES}
"""Every event that is sent here, by its type; the specification has refusals and annotations besides."""


def check_event(event: dict[str, Any]) -> None:
    """Refuse an event that isn't as the specification has it."""
    msgspec.convert(event, EVENTS[event["type"]])


def check_response(response: dict[str, Any]) -> None:
    """Refuse a response that isn't."""
    msgspec.convert(response, Response)


def check_compacted(response: dict[str, Any]) -> None:
    """Refuse a compacted conversation that isn't."""
    msgspec.convert(response, Compacted)
