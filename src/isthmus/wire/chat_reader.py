"""Chat Completions answers, as a client: an upstream's chunks become events."""

from collections.abc import Iterator

import msgspec
from msgspec import Struct, field

from isthmus.messages import (
    Event,
    Finish,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    Timings,
    TokenScore,
    TokenScores,
    ToolCallDelta,
    Usage,
)

# ---------------------------------------------------------------- shapes: only what is read


class _FunctionDelta(Struct):
    name: str | None = None
    arguments: str | None = None


class _ToolCallChunk(Struct):
    index: int = 0
    id: str | None = None
    function: _FunctionDelta | None = None


class _Piece(Struct):
    """A part of a content that is a list, as Mistral's thinking models write it."""

    type: str | None = None
    text: str | None = None
    thinking: "list[_Piece] | None" = None


class _Delta(Struct):
    content: str | list[_Piece] | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCallChunk] | None = None


class _Logprob(Struct):
    token: str
    logprob: float
    id: int | None = None  # llama.cpp's
    bytes: msgspec.Raw = msgspec.Raw(b"null")
    top_logprobs: "list[_Logprob] | None" = None


class _Logprobs(Struct):
    content: list[_Logprob] | None = None


class _PromptDetails(Struct):
    cached_tokens: int | None = None


class _CompletionDetails(Struct):
    reasoning_tokens: int | None = None


class _Usage(Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    cached_tokens: int | None = None  # Moonshot's
    prompt_cache_hit_tokens: int | None = None  # DeepSeek's
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None


class _Choice(Struct):
    index: int = 0
    delta: _Delta | None = None
    text: str | None = None  # of completions without a template
    logprobs: _Logprobs | None = None
    finish_reason: str | None = None
    stop_reason: str | int | None = None  # vLLM: which of the request's sequences, or of its own tokens
    usage: _Usage | None = None  # Moonshot's place for it


class _Timings(Struct):
    prompt_ms: float | None = None
    predicted_ms: float | None = None
    predicted_per_second: float | None = None


class _Verbose(Struct):
    stopping_word: str | None = None


class _Groq(Struct):
    usage: _Usage | None = None


class _Error(Struct):
    message: str = ""
    type: str | None = None
    code: str | int | None = None


class _Chunk(Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    timings: _Timings | None = None
    error: _Error | str | None = None
    x_groq: _Groq | None = None
    verbose: _Verbose | None = field(default=None, name="__verbose")  # llama.cpp, where it was asked for


_FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "eos": "stop",  # Together
    "model_length": "length",  # Mistral
    "max_tokens": "length",
    "tool_use": "tool_calls",
}

_BROKEN = frozenset({"abort", "error", "insufficient_system_resource"})
"""How servers say that they gave up in the middle: an answer that ends so isn't whole."""


class StreamError(Exception):
    """The upstream says, in the middle of its stream, that it failed."""


class ChunkReader:
    """Turns an upstream's chunks into events, and knows whether the answer is whole.

    Usage comes in a last chunk of its own, so the last `Finish` is held until `finish`.

    Args:
        choices: How many the answer has.
        usage_each: Whether each of them comes with a usage of its own, rather than the answer with one.
    """

    def __init__(self, choices: int = 1, *, usage_each: bool = False) -> None:
        self._usage_each = usage_each
        self._decoder = msgspec.json.Decoder(_Chunk)
        self._expected = choices
        self._reasons: dict[int, FinishReason] = {}
        self._stops: dict[int, str] = {}
        self._told: set[int] = set()  # the choices whose end was passed on before the others'
        self._calls = _Calls()
        self._usage: Usage | None = None
        self._timings: Timings | None = None

    ended = False
    """Nothing in a chunk says that it is the last; ``[DONE]`` does."""

    @property
    def whole(self) -> bool:
        """Whether every choice has said why it ended."""
        return self._reasons.keys() >= set(range(self._expected))

    def read(self, payload: bytes) -> list[Event]:
        """The events of one chunk.

        Raises:
            StreamError: The chunk is an error, or says that the upstream gave up.
            msgspec.MsgspecError: The chunk is not one.
        """
        chunk = self._decoder.decode(payload)
        if chunk.error is not None:
            raise StreamError(chunk.error if isinstance(chunk.error, str) else chunk.error.message)
        events: list[Event] = []
        told = chunk.usage is not None or chunk.timings is not None or chunk.x_groq is not None
        for choice in chunk.choices or ():
            told = told or choice.usage is not None
            if choice.logprobs and choice.logprobs.content:
                events.append(TokenScores(tuple(map(_score, choice.logprobs.content)), choice.index))
            if choice.delta:
                _add_deltas(events, choice.delta, choice.index, self._calls)
            elif choice.text:
                events.append(TextDelta(choice.text, choice.index))
            if choice.finish_reason in _BROKEN:
                raise StreamError(f"it broke off ({choice.finish_reason})")
            if choice.finish_reason:
                self._reasons[choice.index] = _FINISH.get(choice.finish_reason, "stop")
                if isinstance(choice.stop_reason, str):
                    self._stops[choice.index] = choice.stop_reason
            if chunk.verbose is not None and chunk.verbose.stopping_word:
                self._stops[choice.index] = chunk.verbose.stopping_word
            if choice.finish_reason and len(self._reasons) < self._expected:
                events += self._ended_early(choice.index)
        if told:
            self._take_figures(chunk)
        return events

    def finish(self) -> Iterator[Finish]:
        """A `Finish` for each choice that had none yet, the last one with usage and timings."""
        held = sorted(item for item in self._reasons.items() if item[0] not in self._told)
        for number, (index, reason) in enumerate(held, 1):
            last = number == len(held)
            yield Finish(
                reason,
                usage=self._usage if last else None,
                timings=self._timings if last else None,
                index=index,
                stop_sequence=self._stops.get(index),
            )

    def _take_figures(self, chunk: _Chunk) -> None:
        """The tokens that it took and the time, of a chunk that tells them."""
        told = chunk.usage
        if told is None and chunk.x_groq is not None:
            told = chunk.x_groq.usage
        for choice in chunk.choices or ():
            told = told or choice.usage
        if told is not None:
            usage = _read_usage(told)
            self._usage = _both(self._usage, usage) if self._usage_each and self._usage else usage
        if chunk.timings:
            self._timings = Timings(
                prompt_s=_seconds(chunk.timings.prompt_ms),
                tokens_per_s=chunk.timings.predicted_per_second,
                decode_s=_seconds(chunk.timings.predicted_ms),
            )

    def _ended_early(self, index: int) -> list[Finish]:
        """The end of a choice while others go on, told once."""
        if index in self._told:
            return []
        self._told.add(index)
        return [Finish(self._reasons[index], index=index, stop_sequence=self._stops.get(index))]


class _Calls:
    """Which of an answer's calls a piece belongs to.

    Some upstreams give every call the index 0, or none: a new id under an index that is taken is a new call.
    """

    def __init__(self) -> None:
        self._open: dict[tuple[int, int], tuple[str | None, int]] = {}  # choice, index: id, position

    def position(self, choice: int, call: _ToolCallChunk) -> int:
        """Where the call stands among those of its choice."""
        known = self._open.get((choice, call.index))
        if known is not None and (not call.id or known[0] in (None, call.id)):
            return known[1]
        taken = {position for (of, _), (_, position) in self._open.items() if of == choice}
        position = call.index if known is None and call.index not in taken else max(taken) + 1
        self._open[choice, call.index] = (call.id or None, position)
        return position


def _add_deltas(events: list[Event], delta: _Delta, index: int, calls: _Calls) -> None:
    if thought := delta.reasoning_content or delta.reasoning:
        events.append(ReasoningDelta(thought, index))
    content = delta.content or delta.refusal
    if isinstance(content, list):
        _add_pieces(events, content, index)
    elif content:
        events.append(TextDelta(content, index))
    for call in delta.tool_calls or ():
        function = call.function or _FunctionDelta()
        position = calls.position(index, call)
        events.append(ToolCallDelta(position, call.id, function.name, function.arguments or "", index))


def _add_pieces(events: list[Event], pieces: list[_Piece], index: int) -> None:
    for piece in pieces:
        if thought := "".join(part.text or "" for part in piece.thinking or ()):
            events.append(ReasoningDelta(thought, index))
        if piece.text:
            events.append(TextDelta(piece.text, index))


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


_BYTES = msgspec.json.Decoder(list[int] | None)
_UNSAID = "\N{REPLACEMENT CHARACTER}"
"""What stands in a token's text for bytes that are no character by themselves."""


def _score(each: _Logprob) -> TokenScore:
    raw = None
    # Nearly every token's bytes are its text's, so that nobody need read them.
    if not each.token or _UNSAID in each.token:
        told = _BYTES.decode(each.bytes)
        raw = None if told is None else bytes(told)
    return TokenScore(each.token, each.logprob, tuple(map(_score, each.top_logprobs or ())), raw, each.id)


def _both(one: Usage, other: Usage) -> Usage:
    """The usage of two choices, which share their prompt."""
    return Usage(
        prompt_tokens=max(one.prompt_tokens, other.prompt_tokens),
        completion_tokens=one.completion_tokens + other.completion_tokens,
        reasoning_tokens=one.reasoning_tokens + other.reasoning_tokens,
        cached_tokens=min(one.cached_tokens, other.cached_tokens),
    )


def _read_usage(usage: _Usage) -> Usage:
    prompt, completion = usage.prompt_tokens_details, usage.completion_tokens_details
    asked, written = usage.prompt_tokens or 0, usage.completion_tokens or 0
    return Usage(
        prompt_tokens=asked,
        # xAI and Google leave thinking, which is billed, out of the completion, and have it in the total.
        completion_tokens=max(written, (usage.total_tokens or 0) - asked),
        reasoning_tokens=(completion.reasoning_tokens or 0) if completion else 0,
        cached_tokens=(prompt and prompt.cached_tokens)
        or usage.cached_tokens
        or usage.prompt_cache_hit_tokens
        or 0,
    )
