"""Requests in llama.cpp's own words: ``/completion`` and ``/infill``."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from isthmus.errors import RequestError
from isthmus.messages import HandoffMode
from isthmus.wire.decoding import BodyDecoder
from isthmus.wire.forms import read_form
from isthmus.wire.raw_request import MAX_PROMPTS, Prompts, RawCall, read_prompts
from isthmus.wire.sampling import Sampled, Tokens, read_limit, read_sampled

MAX_EXTRA = 64
"""Pieces of other files beside a gap."""


class LlamaSampled(Sampled):
    """What both take. ``n_predict`` is without bound where it isn't given."""

    model: str | None = None
    max_tokens: Tokens | None = None
    n_probs: Annotated[int, Meta(ge=0, le=100)] | None = None
    return_tokens: bool | None = None
    response_fields: list[str] | None = None
    # Refused by value: they would make the answer another one.
    n_cmpl: int | None = None
    post_sampling_probs: bool | None = None
    lora: list[Any] | None = None
    # Known, without effect here, so not worth a warning: slots and their cache are the server's to choose.
    cache_prompt: bool | None = None
    id_slot: int | None = None


class CompletionBody(LlamaSampled, kw_only=True):
    """A request to ``/completion``."""

    prompt: Prompts


class ExtraFile(Struct):
    """A piece of another file, which says what the gap's own file doesn't."""

    text: str
    filename: str | None = None


class InfillBody(LlamaSampled):
    """A request to ``/infill``. ``prompt`` is what the gap begins with."""

    input_prefix: str = ""
    input_suffix: str = ""
    input_extra: list[ExtraFile] | None = None
    prompt: str | None = None


_WORDS: dict[str, Any] = {"handoff": HandoffMode}
_COMPLETION = BodyDecoder(CompletionBody, _WORDS)
_INFILL = BodyDecoder(InfillBody, _WORDS)


class LlamaCall(RawCall, frozen=True, kw_only=True):
    """A parsed request: what to generate, and how to send it back.

    ``fields`` are what of an answer is wanted, by their paths; none: all of it.
    """

    several: bool
    return_tokens: bool = False
    probs: int = 0
    fields: tuple[str, ...] = ()


class Gap(Struct, frozen=True):
    """What stands around a text that is to be written."""

    before: str
    after: str
    extra: tuple[ExtraFile, ...] = ()


def parse_completion(body: bytes) -> LlamaCall:
    """Read a request to ``/completion``.

    Raises:
        RequestError: Not JSON, or a parameter of the wrong type, out of range, or beyond what is done here;
            ``param`` names it.
    """
    asked = _COMPLETION.decode(body)
    prompts = read_prompts(asked.prompt, "prompt", MAX_PROMPTS)
    several = not isinstance(asked.prompt, str) and not any(isinstance(each, int) for each in asked.prompt)
    if asked.stream and len(prompts) > 1:
        raise RequestError(
            "prompt: a stream answers one prompt",
            hint="leave out stream, or send several requests",
            param="prompt",
        )
    call = _call(asked, _COMPLETION.unknown(body))
    return msgspec.structs.replace(call, prompts=prompts, several=several)


def parse_infill(body: bytes) -> tuple[LlamaCall, Gap]:
    """Read a request to ``/infill``.

    Raises:
        RequestError: As `parse_completion`.
    """
    asked = _INFILL.decode(body)
    extra = tuple(asked.input_extra or ())
    if len(extra) > MAX_EXTRA:
        raise RequestError(f"input_extra has more than {MAX_EXTRA} pieces", param="input_extra")
    gap = Gap(asked.input_prefix + (asked.prompt or ""), asked.input_suffix, extra)
    return _call(asked, _INFILL.unknown(body)), gap


def _call(asked: LlamaSampled, ignored: Sequence[str]) -> LlamaCall:
    _refuse_what_is_not_done(asked)
    probs, tokens = asked.n_probs or 0, bool(asked.return_tokens)
    request = read_sampled(
        asked,
        max_tokens=read_limit(asked.n_predict) if asked.n_predict is not None else asked.max_tokens,
        form=read_form(None, asked.json_schema, asked.grammar),
        # The engine tells tokens' numbers beside their probabilities alone.
        top_logprobs=probs if probs or tokens else None,
    )
    return LlamaCall(
        # llama.cpp's word for any seed.
        request=msgspec.structs.replace(request, seed=None) if asked.seed == -1 else request,
        model=asked.model,
        stream=bool(asked.stream),
        handoff=asked.isthmus.handoff if asked.isthmus else None,
        ignored=tuple(ignored),
        several=False,
        return_tokens=tokens,
        probs=probs,
        fields=tuple(asked.response_fields or ()),
    )


def _refuse_what_is_not_done(asked: LlamaSampled) -> None:
    if asked.n_cmpl not in (None, 1):
        raise RequestError(
            "n_cmpl: a prompt has one answer here", hint="send it several times", param="n_cmpl"
        )
    if asked.post_sampling_probs:
        raise RequestError(
            "post_sampling_probs: only the model's own probabilities are known",
            hint="leave it out",
            param="post_sampling_probs",
        )
    if asked.lora:
        raise RequestError(
            "lora: adapters are loaded with their model", hint="set engine.adapters", param="lora"
        )
