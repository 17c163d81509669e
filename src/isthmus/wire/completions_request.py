"""Completions requests, OpenAI's older API: prompts that the model reads as they stand."""

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import Meta

from isthmus.errors import RequestError
from isthmus.messages import HandoffMode
from isthmus.wire.call import StreamOptions
from isthmus.wire.decoding import BodyDecoder
from isthmus.wire.forms import read_form
from isthmus.wire.raw_request import MAX_PROMPTS, Prompt, Prompts, RawCall, read_prompts
from isthmus.wire.sampling import Sampled, Tokens, read_limit, read_sampled

DEFAULT_MAX_TOKENS = 16
"""OpenAI's, and therefore what programs for this API expect."""


class CompletionsBody(Sampled, kw_only=True):
    """A request, as OpenAI publishes it. ``prompt`` is a text, texts, tokens, or lists of tokens."""

    prompt: Prompts
    model: str | None = None
    suffix: str | None = None
    max_tokens: Tokens | None = None
    n: Annotated[int, Meta(ge=1, le=16)] | None = None
    best_of: Annotated[int, Meta(ge=1, le=20)] | None = None
    logprobs: Annotated[int, Meta(ge=0, le=5)] | None = None
    echo: bool | None = None
    stream_options: StreamOptions | None = None
    response_format: dict[str, Any] | None = None  # vLLM's
    # Known, without effect here, so not worth a warning.
    user: str | None = None


_WORDS: dict[str, Any] = {"handoff": HandoffMode}
_DECODER = BodyDecoder(CompletionsBody, _WORDS)


class CompletionsCall(RawCall, frozen=True, kw_only=True):
    """A parsed request: what to generate, and how to send it back."""

    suffix: str | None
    echo: bool
    include_usage: bool


def parse_completions(body: bytes) -> CompletionsCall:
    """Read a Completions request.

    Raises:
        RequestError: Not JSON, or a parameter of the wrong type, out of range, or beyond what is done here;
            ``param`` names it.
    """
    asked = _DECODER.decode(body)
    prompts = read_prompts(asked.prompt, "prompt", MAX_PROMPTS)
    _refuse_what_is_not_done(asked, prompts)
    return CompletionsCall(
        request=read_sampled(
            asked,
            max_tokens=_limit(asked),
            form=read_form(asked.response_format, asked.json_schema, asked.grammar),
            n=asked.n or 1,
            top_logprobs=asked.logprobs,
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


def _limit(asked: CompletionsBody) -> int | None:
    limit = read_limit(asked.n_predict)
    if asked.max_tokens is None and asked.n_predict is not None:
        return limit
    return asked.max_tokens or DEFAULT_MAX_TOKENS


def _refuse_what_is_not_done(asked: CompletionsBody, prompts: Sequence[Prompt]) -> None:
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
