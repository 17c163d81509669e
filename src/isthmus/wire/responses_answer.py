"""What Responses answers look like, for the OpenAPI document; `responses_writer` writes them."""

from typing import Any, Literal, TypeAlias

from msgspec import Struct

from isthmus.wire.chat_answer import Isthmus

ResponseState: TypeAlias = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]


class InputDetails(Struct):
    """Of the input's tokens: how many cost no prefill."""

    cached_tokens: int
    cache_write_tokens: int


class OutputDetails(Struct):
    """Of the output's tokens: how many were thinking."""

    reasoning_tokens: int


class ResponseUsage(Struct):
    """Tokens of one response."""

    input_tokens: int
    input_tokens_details: InputDetails
    output_tokens: int
    output_tokens_details: OutputDetails
    total_tokens: int


class Incomplete(Struct):
    """Why an answer is cut short."""

    reason: Literal["max_output_tokens", "content_filter"]


class ResponseFault(Struct):
    """What a response failed of; ``hint`` can be typed."""

    code: str
    message: str
    hint: str | None = None


class ResponseObject(Struct):
    """A response: what was asked, how far it has come, and what it says.

    An item of the output is a ``message``, ``reasoning``, a ``function_call`` or a ``custom_tool_call``.
    """

    id: str
    object: Literal["response"]
    created_at: int
    completed_at: int | None
    status: ResponseState
    model: str
    output: list[dict[str, Any]]
    usage: ResponseUsage | None
    incomplete_details: Incomplete | None
    error: ResponseFault | None
    instructions: str | None
    previous_response_id: str | None
    store: bool
    background: bool
    tools: list[dict[str, Any]]
    tool_choice: str | dict[str, Any]
    parallel_tool_calls: bool
    text: dict[str, Any]
    reasoning: dict[str, Any]
    max_output_tokens: int | None
    max_tool_calls: int | None
    temperature: float
    top_p: float
    presence_penalty: float
    frequency_penalty: float
    top_logprobs: int
    truncation: Literal["auto", "disabled"]
    metadata: dict[str, str]
    prompt_cache_key: str | None
    safety_identifier: str | None
    user: str | None
    service_tier: str
    isthmus: Isthmus | None = None


class EventFault(Struct):
    """What went wrong in the midst of a stream."""

    type: str
    code: str
    message: str
    param: str | None


class ResponseEvent(Struct):
    """One event of a stream: its type says which of the fields it has."""

    type: str
    sequence_number: int
    response: ResponseObject | None = None
    output_index: int | None = None
    item: dict[str, Any] | None = None
    item_id: str | None = None
    content_index: int | None = None
    summary_index: int | None = None
    part: dict[str, Any] | None = None
    delta: str | None = None
    text: str | None = None
    arguments: str | None = None
    input: str | None = None
    logprobs: list[dict[str, Any]] | None = None
    code: str | None = None
    message: str | None = None
    param: str | None = None
    error: EventFault | None = None


class ItemPage(Struct):
    """Some of a response's input."""

    object: Literal["list"]
    data: list[dict[str, Any]]
    first_id: str | None
    last_id: str | None
    has_more: bool


class InputTokens(Struct):
    """How many tokens an input has."""

    object: Literal["response.input_tokens"]
    input_tokens: int


class CompactedResponse(Struct):
    """A conversation summed up: its output is the input that goes on from it.

    That is what the person said, each a ``message``, and a ``compaction`` that stands for the rest.
    """

    id: str
    object: Literal["response.compaction"]
    created_at: int
    output: list[dict[str, Any]]
    usage: ResponseUsage
    isthmus: Isthmus | None = None


class DeletedResponse(Struct):
    """A response that is gone."""

    id: str
    object: Literal["response"]
    deleted: Literal[True]
