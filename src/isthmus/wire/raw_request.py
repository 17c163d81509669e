"""What requests have in common that the model reads as they stand, in OpenAI's words and in llama.cpp's."""

from collections.abc import Sequence
from typing import Annotated, Any, TypeAlias, TypeGuard, cast

from msgspec import Meta, Struct

from isthmus.errors import RequestError
from isthmus.messages import GenerationRequest
from isthmus.wire.call import Extension
from isthmus.wire.forms import Form
from isthmus.wire.sampling import (
    Biases,
    Penalty,
    Predicted,
    Seed,
    Share,
    Temperature,
    read_biases,
    read_stops,
)

MAX_PROMPTS = 64
"""One request may have so many prompts; each is a question of its own."""

TokenId: TypeAlias = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Raw: TypeAlias = str | tuple[int, ...]
"""A prompt as it stands: a text, or tokens."""
Prompt: TypeAlias = str | tuple[int | str, ...]
"""A prompt as it was sent: a text, tokens, or tokens with texts between them; `is_raw` tells them apart."""
Prompts: TypeAlias = str | list[str | TokenId | list[TokenId | str]]
"""What a parameter holds: one prompt, or a list of them. A list with tokens of its own is one."""


class Sampled(Struct):
    """How tokens are chosen and where an answer ends: OpenAI's parameters, and llama.cpp's beside."""

    temperature: Temperature | None = None
    top_p: Share | None = None
    stop: str | list[str] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: Biases | None = None
    seed: Seed | None = None
    top_k: Annotated[int, Meta(ge=-1, le=2**31 - 1)] | None = None
    min_p: Share | None = None
    typical_p: Share | None = None
    repeat_penalty: Annotated[float, Meta(gt=0, le=10)] | None = None
    repeat_last_n: Annotated[int, Meta(ge=-1, le=2**31 - 1)] | None = None
    n_predict: Predicted | None = None
    json_schema: dict[str, Any] | None = None
    grammar: str | None = None
    ignore_eos: bool | None = None
    stream: bool | None = None
    isthmus: Extension | None = None


def read_sampled(
    asked: Sampled, *, max_tokens: int | None, form: Form, n: int = 1, top_logprobs: int | None = None
) -> GenerationRequest:
    """What is asked for of any prompt.

    Args:
        asked: The parameters.
        max_tokens: The most tokens that an answer may have.
        form: The answer's.
        n: How many answers.
        top_logprobs: As the request's.

    Raises:
        RequestError: A parameter that can't be worked with.
    """
    return GenerationRequest(
        messages=(),
        max_tokens=max_tokens,
        temperature=asked.temperature,
        top_p=asked.top_p,
        seed=asked.seed,
        stop=read_stops(asked.stop),
        presence_penalty=asked.presence_penalty,
        frequency_penalty=asked.frequency_penalty,
        logit_bias=read_biases(asked.logit_bias),
        n=n,
        top_logprobs=top_logprobs,
        response_format=form.response_format,
        top_k=asked.top_k,
        min_p=asked.min_p,
        typical_p=asked.typical_p,
        repeat_penalty=asked.repeat_penalty,
        repeat_last_n=asked.repeat_last_n,
        grammar=form.grammar,
        ignore_eos=bool(asked.ignore_eos),
    )


def is_raw(prompt: Prompt) -> TypeGuard[Raw]:
    """Whether a prompt is a text or tokens, and not both."""
    return isinstance(prompt, str) or all(isinstance(each, int) for each in prompt)


def read_prompts(
    asked: str | Sequence[str | int | Sequence[int | str]], param: str, most: int
) -> tuple[Prompt, ...]:
    """One prompt or several: texts, tokens, or tokens with texts between them.

    Args:
        asked: What was sent.
        param: What errors call it.
        most: How many prompts one request may have.

    Raises:
        RequestError: It is empty, has too many, or mixes what can't be mixed.
    """
    if isinstance(asked, str):
        return (asked,)
    prompts: tuple[Prompt, ...]
    if any(isinstance(each, int) for each in asked):
        if not all(isinstance(each, int | str) for each in asked):
            raise RequestError(f"{param} mixes tokens with lists", param=param)
        prompts = (tuple(cast("Sequence[int | str]", asked)),)
    else:
        several = cast("Sequence[str | Sequence[int | str]]", asked)
        prompts = tuple(each if isinstance(each, str) else tuple(each) for each in several)
    if not prompts or () in prompts:
        raise RequestError(f"{param} is empty", param=param)
    if len(prompts) > most:
        raise RequestError(f"{param} has {len(prompts)} texts, and one request may have {most}", param=param)
    return prompts
