"""The parameters that say how tokens are chosen, as OpenAI's APIs share them."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, TypeAlias

from msgspec import Meta, Struct

from isthmus.errors import RequestError
from isthmus.messages import GenerationRequest
from isthmus.wire.call import Extension, is_marked
from isthmus.wire.forms import Form

MAX_STOPS = 16
"""OpenAI takes 4; other engines take more, and each costs little."""
MAX_STOP_LENGTH = 256
"""Characters: an answer's end is held back while it may yet become one."""
MAX_BIASES = 5_000
NEVER = -100.0
"""The bias that keeps a token out of an answer."""

Tokens: TypeAlias = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Share: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
Penalty: TypeAlias = Annotated[float, Meta(ge=-2, le=2)]
Temperature: TypeAlias = Annotated[float, Meta(ge=0, le=2)]
Seed: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Predicted: TypeAlias = Annotated[int, Meta(ge=-1, le=2**31 - 1)]
"""llama.cpp's ``n_predict``; -1: as many tokens as there is room for."""
# A whole number stays one: OpenAI takes no other.
_Bias: TypeAlias = Annotated[int, Meta(ge=-100, le=100)] | Annotated[float, Meta(ge=-100, le=100)] | bool
Biases: TypeAlias = dict[str, _Bias] | list[tuple[int | str, _Bias]]
"""By tokens' numbers, as OpenAI has them, or in llama.cpp's pairs; false: never."""


class Sampled(Struct):
    """How tokens are chosen, and where and in which form an answer ends: OpenAI's, and llama.cpp's beside."""

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
    """What is asked for, whatever the prompt; ``messages`` are yet to come.

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
        home_only=is_marked(asked.isthmus),
    )


def read_stops(asked: str | Sequence[str] | None) -> tuple[str, ...]:
    """The sequences at which an answer ends.

    Raises:
        RequestError: There are too many, or one is empty or too long.
    """
    stops = (asked,) if isinstance(asked, str) else tuple(asked or ())
    if len(stops) > MAX_STOPS:
        raise RequestError(
            f"stop has {len(stops)} sequences, and at most {MAX_STOPS} are taken", param="stop"
        )
    if not all(0 < len(stop) <= MAX_STOP_LENGTH for stop in stops):
        raise RequestError(f"stop: each sequence has 1 to {MAX_STOP_LENGTH} characters", param="stop")
    return stops


def read_limit(predicted: int | None) -> int | None:
    """How many tokens ``n_predict`` allows; None: as many as there is room for.

    Raises:
        RequestError: It is 0, which asks for no answer.
    """
    if predicted == 0:
        raise RequestError("n_predict is 0, and no answer has no tokens", param="n_predict")
    return None if predicted == -1 else predicted


def read_biases(asked: Biases | None) -> dict[str, float] | None:
    """What is added to the logits of tokens, by their numbers.

    Raises:
        RequestError: There are too many, or one isn't a token's number, or a bias is true.
    """
    if asked is None:
        return None
    if len(asked) > MAX_BIASES:
        raise RequestError(f"logit_bias has more than {MAX_BIASES:,} tokens", param="logit_bias")
    pairs: Iterable[tuple[int | str, float | bool]]
    pairs = ((_number(token), bias) for token, bias in asked.items()) if isinstance(asked, dict) else asked
    return {_token(token): _bias(bias) for token, bias in pairs}


def _number(token: str) -> int | str:
    return int(token) if token.isascii() and token.isdecimal() and len(token) < 10 else token


def _token(token: int | str) -> str:
    if isinstance(token, str) or not 0 <= token < 10**9:
        raise RequestError(
            f"logit_bias: {str(token)[:50]!r} is not a token's number",
            hint="POST /tokenize tells a text's tokens",
            param="logit_bias",
        )
    return str(token)


def _bias(bias: float | bool) -> float:
    if bias is True:
        raise RequestError("logit_bias: true is no bias, only a number or false", param="logit_bias")
    return NEVER if bias is False else bias
