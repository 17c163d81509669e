"""Completions requests, OpenAI's older API: prompts that the model reads as they stand."""

from collections.abc import Sequence
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta, Struct

from isthmus.errors import RequestError
from isthmus.messages import GenerationRequest, HandoffMode, Message
from isthmus.wire.call import Call, Extension
from isthmus.wire.decoding import BodyDecoder
from isthmus.wire.sampling import (
    Biases,
    Penalty,
    Seed,
    Share,
    Temperature,
    Tokens,
    read_biases,
    read_stops,
)

MAX_PROMPTS = 64
"""One request may have so many prompts; each is a question of its own."""
DEFAULT_MAX_TOKENS = 16
"""OpenAI's, and therefore what programs for this API expect."""

_TokenId: TypeAlias = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Raw: TypeAlias = str | tuple[int, ...]
"""A prompt as it stands: a text, or tokens."""


class _StreamOptions(Struct):
    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class CompletionsBody(Struct):
    """A request, as OpenAI publishes it. ``prompt`` is a text, texts, tokens, or lists of tokens."""

    prompt: str | list[str | _TokenId | list[_TokenId]]
    model: str | None = None
    suffix: str | None = None
    max_tokens: Tokens | None = None
    temperature: Temperature | None = None
    top_p: Share | None = None
    n: Annotated[int, Meta(ge=1, le=16)] | None = None
    best_of: Annotated[int, Meta(ge=1, le=20)] | None = None
    logprobs: Annotated[int, Meta(ge=0, le=5)] | None = None
    echo: bool | None = None
    stop: str | list[str] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: Biases | None = None
    seed: Seed | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    # What open models' servers take beside it.
    top_k: Annotated[int, Meta(ge=-1, le=2**31 - 1)] | None = None
    min_p: Share | None = None
    typical_p: Share | None = None
    repeat_penalty: Annotated[float, Meta(gt=0, le=10)] | None = None
    repeat_last_n: Annotated[int, Meta(ge=-1, le=2**31 - 1)] | None = None
    isthmus: Extension | None = None
    # Known, without effect here, so not worth a warning.
    user: str | None = None


_WORDS: dict[str, Any] = {"handoff": HandoffMode}
_DECODER = BodyDecoder(CompletionsBody, _WORDS)


class CompletionsCall(Call, frozen=True, kw_only=True):
    """A parsed request. ``request`` is that of the first prompt; `of` makes those of the others."""

    prompts: tuple[Raw, ...]
    suffix: str | None
    echo: bool
    include_usage: bool

    def of(self, raw: Raw) -> "CompletionsCall":
        """The call that asks for the continuation of one prompt."""
        text = raw if isinstance(raw, str) else " ".join(map(str, raw))
        request = msgspec.structs.replace(self.request, raw=raw, messages=(Message("user", text),))
        return msgspec.structs.replace(self, request=request)


def parse_completions(body: bytes) -> CompletionsCall:
    """Read a Completions request.

    Raises:
        RequestError: Not JSON, or a parameter of the wrong type, out of range, or beyond what is done here;
            ``param`` names it.
    """
    asked = _DECODER.decode(body)
    prompts = read_prompts(asked.prompt, "prompt", MAX_PROMPTS)
    _refuse_what_is_not_done(asked, prompts)
    call = CompletionsCall(
        request=GenerationRequest(
            messages=(),
            max_tokens=asked.max_tokens or DEFAULT_MAX_TOKENS,
            temperature=asked.temperature,
            top_p=asked.top_p,
            seed=asked.seed,
            stop=read_stops(asked.stop),
            presence_penalty=asked.presence_penalty,
            frequency_penalty=asked.frequency_penalty,
            logit_bias=read_biases(asked.logit_bias),
            n=asked.n or 1,
            top_logprobs=asked.logprobs,
            top_k=asked.top_k,
            min_p=asked.min_p,
            typical_p=asked.typical_p,
            repeat_penalty=asked.repeat_penalty,
            repeat_last_n=asked.repeat_last_n,
        ),
        model=asked.model,
        stream=bool(asked.stream),
        handoff=asked.isthmus.handoff if asked.isthmus else None,
        ignored=_DECODER.unknown(body),
        prompts=prompts,
        suffix=asked.suffix or None,
        echo=bool(asked.echo),
        include_usage=bool(asked.stream_options and asked.stream_options.include_usage),
    )
    return call.of(prompts[0])


def read_prompts(asked: str | Sequence[str | int | Sequence[int]], param: str, most: int) -> tuple[Raw, ...]:
    """A text, texts, tokens or lists of tokens, as one or more prompts.

    Args:
        asked: What was sent.
        param: What errors call it.
        most: How many prompts one request may have.

    Raises:
        RequestError: It is empty, has too many, or mixes what can't be mixed.
    """
    if isinstance(asked, str):
        return (asked,)
    tokens = tuple(each for each in asked if isinstance(each, int))
    prompts: tuple[Raw, ...] = tuple(
        each if isinstance(each, str) else tuple(each) for each in asked if not isinstance(each, int)
    )
    if tokens and prompts:
        raise RequestError(f"{param} mixes tokens with texts or lists", param=param)
    prompts = (tokens,) if tokens else prompts
    if not prompts or () in prompts:
        raise RequestError(f"{param} is empty", param=param)
    if len(prompts) > most:
        raise RequestError(f"{param} has {len(prompts)} texts, and one request may have {most}", param=param)
    return prompts


def _refuse_what_is_not_done(asked: CompletionsBody, prompts: Sequence[Raw]) -> None:
    if asked.best_of is not None and asked.best_of != (asked.n or 1):
        raise RequestError(
            "best_of: answers aren't ranked here, so it can only be n",
            hint="ask for n answers and choose among them",
            param="best_of",
        )
    if asked.echo and asked.logprobs is not None:
        raise RequestError(
            "echo: the prompt's own log-probabilities aren't known here",
            hint="leave out echo or logprobs",
            param="echo",
        )
    if asked.suffix and not all(isinstance(each, str) for each in prompts):
        raise RequestError("suffix takes a prompt of text, not of tokens", param="suffix")
