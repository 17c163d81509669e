"""What Chat Completions answers look like, for the OpenAPI document; `chat_writer` writes them."""

from typing import Literal

from msgspec import Struct

from isthmus.messages import FinishReason, Reason, Reasoned, Stage, Target


class Notice(Struct):
    """Something that the person should know, beside the answer; ``hint`` can be typed."""

    code: str
    text: str
    hint: str | None = None
    type: Literal["notice"] | None = None


class Timings(Struct):
    """Seconds to the first token, in all, of reading the prompt, of writing, and until a model was free."""

    first_token_s: float | None = None
    total_s: float | None = None
    prompt_s: float | None = None
    wait_s: float | None = None
    tokens_per_s: float | None = None
    decode_s: float | None = None


class Isthmus(Struct):
    """Who answered and why, what it cost, how long it took, and the numbers behind the decision."""

    route: Target | None = None
    reason: Reason | None = None
    stage: Stage | None = None
    model: str | None = None
    provider: str | None = None
    p_local_wrong: float | None = None
    threshold: float | None = None
    features: dict[str, float] | None = None
    detail: str | None = None
    cost_usd: str | None = None
    timings: Timings | None = None
    reasoning: Reasoned | None = None
    notice: Notice | None = None
    notices: list[Notice] | None = None


class PromptDetails(Struct):
    """Of the prompt's tokens: how many cost no prefill."""

    cached_tokens: int


class CompletionDetails(Struct):
    """Of the answer's tokens: how many were thinking."""

    reasoning_tokens: int


class Usage(Struct):
    """Tokens of one request."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails
    completion_tokens_details: CompletionDetails


class EngineTimings(Struct):
    """llama.cpp's timings: of the tokens that were read (not those from the cache), and of those written."""

    cache_n: int
    prompt_n: int
    prompt_ms: float
    prompt_per_token_ms: float
    prompt_per_second: float
    predicted_n: int
    predicted_ms: float
    predicted_per_token_ms: float
    predicted_per_second: float


class RivalToken(Struct):
    """A token that might have stood there, with its natural log-probability."""

    token: str
    logprob: float
    bytes: list[int] | None


class ScoredToken(Struct):
    """A token with its natural log-probability, and those of its likeliest rivals."""

    token: str
    logprob: float
    bytes: list[int] | None
    top_logprobs: list[RivalToken]


class Logprobs(Struct):
    """The log-probabilities of an answer's tokens."""

    content: list[ScoredToken] | None
    refusal: list[ScoredToken] | None = None


class CalledFunction(Struct):
    """``arguments`` is JSON text, as the model wrote it."""

    name: str
    arguments: str


class ToolCall(Struct):
    """A call that the model asks for."""

    id: str
    type: Literal["function"]
    function: CalledFunction


class AnswerMessage(Struct):
    """The answer; its thinking is there under both of the names in use."""

    role: Literal["assistant"]
    content: str | None
    refusal: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[ToolCall] | None = None


class Choice(Struct):
    """One of the answers asked for."""

    index: int
    message: AnswerMessage
    finish_reason: FinishReason | None
    logprobs: Logprobs | None


class ChatCompletion(Struct):
    """A whole answer."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
    system_fingerprint: str | None = None
    timings: EngineTimings | None = None
    isthmus: Isthmus | None = None


class FunctionDelta(Struct):
    """More of a call: its name comes once, its arguments in pieces."""

    name: str | None = None
    arguments: str | None = None


class ToolCallDelta(Struct):
    """More of a tool call."""

    index: int
    id: str | None = None
    type: Literal["function"] | None = None
    function: FunctionDelta | None = None


class Delta(Struct):
    """More of an answer."""

    role: Literal["assistant"] | None = None
    content: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[ToolCallDelta] | None = None


class ChunkChoice(Struct):
    """More of one of the answers."""

    index: int
    delta: Delta
    finish_reason: FinishReason | None
    logprobs: Logprobs | None = None


class ChatChunk(Struct):
    """A piece of a streamed answer; ``usage`` is in the last, where it was asked for."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: Usage | None = None
    system_fingerprint: str | None = None
    timings: EngineTimings | None = None
    isthmus: Isthmus | None = None
