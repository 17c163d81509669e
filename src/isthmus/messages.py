"""The nouns: what is asked, what comes back, and who decided.

Every value is frozen. A conversation is a tuple of `Message`; a `GenerationRequest` asks for its
continuation; the continuation is a stream of `Event`, a closed set, each event with the ``index`` of its
choice (0 unless several completions were asked for).
"""

from decimal import Decimal
from typing import Any, Literal, TypeAlias, get_args

from msgspec import Struct
from msgspec.structs import replace

Role: TypeAlias = Literal["system", "developer", "user", "assistant", "tool"]
Effort: TypeAlias = Literal["none", "minimal", "low", "medium", "high", "xhigh"]
FinishReason: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter"]

EFFORTS: tuple[Effort, ...] = get_args(Effort)
"""All of them, the least first."""


def nearest_effort(effort: Effort, known: tuple[Effort, ...]) -> Effort:
    """The closest of some efforts, the lesser of two; some effort never becomes none.

    Args:
        effort: The one that is asked for.
        known: Those that there are, the least first; at least one, and not none alone.
    """
    some: tuple[Effort, ...] = known if effort == "none" else tuple(each for each in known if each != "none")
    rank = EFFORTS.index(effort)
    return min(some, key=lambda each: abs(EFFORTS.index(each) - rank))


class TextPart(Struct, frozen=True, tag="text"):
    """A run of text inside a message."""

    text: str


class ImagePart(Struct, frozen=True, tag="image"):
    """An image inside a message; ``url`` is a data: URL or an address that the model's host may fetch."""

    url: str
    detail: str | None = None


Part: TypeAlias = TextPart | ImagePart


class ToolCall(Struct, frozen=True):
    """A call that the model asks for; ``arguments`` is JSON text, as the model wrote it."""

    id: str
    name: str
    arguments: str


class Message(Struct, frozen=True, omit_defaults=True):
    """One turn of a conversation; one that is ``home_only`` keeps its whole conversation on this machine."""

    role: Role
    content: str | tuple[Part, ...] = ""
    reasoning: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None
    home_only: bool = False

    @property
    def text(self) -> str:
        """The message's text, without its images."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content if isinstance(part, TextPart))

    @property
    def images(self) -> int:
        """How many images it holds."""
        return 0 if isinstance(self.content, str) else sum(isinstance(p, ImagePart) for p in self.content)


def with_system(messages: tuple[Message, ...], words: str) -> tuple[Message, ...]:
    """The conversation with more in its system message, or with one."""
    if messages and messages[0].role in ("system", "developer"):
        said = messages[0].content
        content = f"{said}\n\n{words}" if isinstance(said, str) else (*said, TextPart(f"\n\n{words}"))
        return (replace(messages[0], content=content), *messages[1:])
    return (Message("system", words), *messages)


class Tool(Struct, frozen=True):
    """A function that the model may call; ``parameters`` is a JSON Schema."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


ToolChoice: TypeAlias = Literal["auto", "none", "required"] | dict[str, Any]


Truncation: TypeAlias = Literal["none", "oldest"]
"""What to do with a conversation longer than the context: refuse it, or leave out its oldest turns."""


class GenerationRequest(Struct, frozen=True):
    """What a generator is asked for.

    ``top_logprobs`` is None for no log-probabilities, else how many alternatives come with each token
    (0: the chosen token's alone). ``max_tokens`` None leaves the length to the model and its context.
    ``max_total`` bounds all that is written for the answer together: thinking, further samples, the answer.
    ``reasoning_budget`` is how many tokens of thinking it may have, where whoever answers can count them, and
    ``reasoning_closing`` what is put at the end of a thought that has used them up.
    ``raw`` is a prompt that the model reads as it stands, as text or tokens, without its template; it never
    leaves this machine. ``messages`` then hold it as one user message, for those who look at questions.
    ``repeat_last_n`` is how many tokens ``repeat_penalty`` looks back on; 0: none, -1: the whole context.
    ``grammar`` is the answer's, in llama.cpp's GBNF, which only the model at home keeps to. ``ignore_eos``
    has the answer go on where the model would end it. ``template`` is what the model's chat template is told
    beside the conversation. ``continues`` says that the last message is how the answer begins: its thought is
    over, and what is asked for goes on where it ends. ``home_only`` marks all of it: nothing of it leaves
    this machine.
    """

    messages: tuple[Message, ...]
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    n: int = 1
    effort: Effort | None = None
    top_logprobs: int | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    truncation: Truncation = "none"
    response_format: dict[str, Any] | None = None
    top_k: int | None = None
    min_p: float | None = None
    typical_p: float | None = None
    repeat_penalty: float | None = None
    repeat_last_n: int | None = None
    max_total: int | None = None
    reasoning_budget: int | None = None
    reasoning_closing: str | None = None
    raw: str | tuple[int, ...] | None = None
    grammar: str | None = None
    ignore_eos: bool = False
    template: dict[str, Any] | None = None
    continues: bool = False
    home_only: bool = False


class ModelInfo(Struct, frozen=True):
    """What a generator says of its model.

    ``context_length`` is in tokens, as allocated; None if unknown. ``fingerprint`` identifies the engine's
    build and the weights, where both are known. ``template`` is its chat template, where that is at hand: of
    weights that Isthmus runs itself; empty where they have none.
    """

    name: str
    local: bool
    context_length: int | None = None
    vision: bool = False
    tools: bool = True
    digest: str | None = None
    fingerprint: str | None = None
    template: str | None = None


class Usage(Struct, frozen=True):
    """Tokens of one request. ``cached_tokens`` are those of the prompt that cost no prefill."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    cached_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens


class Embeddings(Struct, frozen=True):
    """Vectors, one for each text in its order, each of unit length; and the tokens that all texts have."""

    vectors: tuple[tuple[float, ...], ...]
    prompt_tokens: int


# ---------------------------------------------------------------- who answers, and why

Target: TypeAlias = Literal["local", "hosted", "refuse"]
HandoffMode: TypeAlias = Literal["off", "shadow", "ask", "auto", "always"]
Stage: TypeAlias = Literal["rules", "estimate", "watch", "check", "delegate", "failure"]
Reason: TypeAlias = Literal[
    "mode_off",  # hand-off is off, as by default
    "mode_shadow",  # what would have been sent is recorded, and nothing is sent
    "mode_always",  # the person wants the hosted model
    "local_only",  # the hard switch
    "offline",  # the network is off limits
    "home_only",  # it holds something that is marked to stay home
    "asked_local",  # this request asks for the local model
    "raw_prompt",  # a prompt without a conversation: only the model at home reads those
    "grammar",  # the answer has a grammar of its own: only the model at home keeps to those
    "no_provider",  # no hosted model is configured
    "context_too_long",  # the prompt doesn't fit at home
    "capability_missing",  # the model at home can't see, or can't call tools
    "looks_easy",  # the question's text says that home will do
    "looks_hard",  # the question's text says that it won't
    "answer_confident",  # the local answer's own tokens say so
    "answer_doubtful",  # the local answer's own tokens say that it may be wrong
    "delegated",  # the local model asked the hosted one a question of its own
    "consent_required",  # would be handed over if the person agreed
    "consent_given",
    "consent_declined",
    "redaction_failed",  # what would have left could not be made safe to
    "budget_exceeded",
    "price_unknown",
    "provider_failed",  # handed over, came back
    "local_failed",  # home couldn't answer
]


class Evidence(Struct, frozen=True):
    """The numbers behind a decision.

    ``score`` is what was compared with ``threshold``: higher where the local answer is likelier wrong and the
    hosted one likelier right. ``features`` moved it most, in logits.
    """

    p_local_wrong: float | None = None
    p_hosted_right: float | None = None
    score: float | None = None
    threshold: float | None = None
    features: dict[str, float] = {}
    detail: str | None = None


class Decision(Struct, frozen=True):
    """Who answers and why."""

    target: Target
    reason: Reason
    stage: Stage = "rules"
    evidence: Evidence = Evidence()


# ---------------------------------------------------------------- events


class ReasoningDelta(Struct, frozen=True, tag="reasoning"):
    """More of the model's thinking."""

    text: str
    index: int = 0


class TextDelta(Struct, frozen=True, tag="text"):
    """More of the answer."""

    text: str
    index: int = 0


class ToolCallDelta(Struct, frozen=True, tag="tool_call"):
    """More of a tool call: ``id`` and ``name`` come once, ``arguments`` in pieces."""

    position: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""
    index: int = 0


class ToolResult(Struct, frozen=True, tag="tool_result"):
    """What a tool that Isthmus ran gave back."""

    call_id: str
    content: str
    index: int = 0


class TokenScore(Struct, frozen=True):
    """A token with its natural log-probability, and its likeliest rivals, itself among them.

    ``raw`` has its bytes where ``token`` can't say them: a piece of a character. ``id`` is its number in the
    model's vocabulary, where whoever answered says it.
    """

    token: str
    logprob: float
    top: "tuple[TokenScore, ...]" = ()
    raw: bytes | None = None
    id: int | None = None

    @property
    def utf8(self) -> bytes:
        """Its bytes."""
        return self.token.encode() if self.raw is None else self.raw


class TokenScores(Struct, frozen=True, tag="token_scores"):
    """Log-probabilities of the tokens of the delta that follows."""

    tokens: tuple[TokenScore, ...]
    index: int = 0


class Confidence(Struct, frozen=True, tag="confidence"):
    """How sure something is of the answer, from 0 to 1."""

    value: float
    source: str
    index: int = 0


class SampleDelta(Struct, frozen=True, tag="sample"):
    """More of one of the samples that an answer is chosen from, for those who watch; it is no answer yet.

    ``ended`` says that there is no more of it, and ``value`` then what it counts for; None: for nothing.
    """

    sample: int
    text: str
    ended: bool = False
    value: str | None = None


class Progress(Struct, frozen=True, tag="progress"):
    """How far long work has come; ``total`` None if nobody knows."""

    label: str
    done: float
    total: float | None = None


class Route(Struct, frozen=True, tag="route"):
    """Who answers. It precedes the first visible token; a later one supersedes it.

    ``fingerprint`` is the model's, where it is at home. ``consent_id`` names the hand-over that waits for the
    person's consent, where one does.
    """

    decision: Decision
    model: str
    provider: str | None = None
    fingerprint: str | None = None
    consent_id: str | None = None


class Notice(Struct, frozen=True, tag="notice"):
    """Something that the person should know, beside the answer. ``hint`` can be typed."""

    code: str
    text: str
    hint: str | None = None


class Timings(Struct, frozen=True):
    """How long it took: seconds to the first token (of any kind) and in all, tokens a second of decoding.

    ``wait_s`` went by until a local model was loaded and had a slot free. ``decode_s`` is what a local model
    wrote for.
    """

    first_token_s: float | None = None
    total_s: float | None = None
    prompt_s: float | None = None
    tokens_per_s: float | None = None
    wait_s: float | None = None
    decode_s: float | None = None


class Reasoned(Struct, frozen=True, omit_defaults=True):
    """What effort came to, of a model that doesn't think by itself.

    ``samples`` were counted of at most ``most``, and ``agreement`` is the share of them that the answer has.
    ``tokens`` were written in all, ``seconds`` it took. ``stopped`` says why no more were drawn: the vote was
    settled, all were drawn, the tokens or the time were spent, or the model failed.
    """

    effort: Effort
    method: Literal["plan", "think", "vote"]
    tokens: int
    seconds: float
    tokens_per_s: float | None = None
    samples: int | None = None
    most: int | None = None
    agreement: float | None = None
    stopped: Literal["settled", "all", "tokens", "time", "failed"] | None = None


class Finish(Struct, frozen=True, tag="finish"):
    """A choice is complete. The last one of a request carries its usage.

    ``stop_sequence`` is which of the request's ended it, where one did and whoever answered says so.
    """

    reason: FinishReason
    usage: Usage | None = None
    timings: Timings | None = None
    cost_usd: Decimal | None = None
    index: int = 0
    stop_sequence: str | None = None
    reasoned: Reasoned | None = None


Event: TypeAlias = (
    ReasoningDelta
    | TextDelta
    | ToolCallDelta
    | ToolResult
    | TokenScores
    | SampleDelta
    | Confidence
    | Progress
    | Route
    | Notice
    | Finish
)
"""Everything that a generator or the runtime may say."""
