"""The parameters that say how tokens are chosen, as OpenAI's APIs share them."""

from collections.abc import Sequence
from typing import Annotated, TypeAlias

from msgspec import Meta

from isthmus.errors import RequestError

MAX_STOPS = 16
"""OpenAI takes 4; other engines take more, and each costs little."""
MAX_STOP_LENGTH = 256
"""Characters: an answer's end is held back while it may yet become one."""
MAX_BIASES = 5_000

Tokens: TypeAlias = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Share: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
Penalty: TypeAlias = Annotated[float, Meta(ge=-2, le=2)]
Temperature: TypeAlias = Annotated[float, Meta(ge=0, le=2)]
Seed: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
# A whole number stays one: OpenAI takes no other.
Biases: TypeAlias = dict[str, Annotated[int, Meta(ge=-100, le=100)] | Annotated[float, Meta(ge=-100, le=100)]]


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


def read_biases(asked: dict[str, float] | None) -> dict[str, float] | None:
    """What is added to the logits of tokens, by their numbers.

    Raises:
        RequestError: There are too many, or one isn't a token's number.
    """
    if asked is None:
        return None
    if len(asked) > MAX_BIASES:
        raise RequestError(f"logit_bias has more than {MAX_BIASES:,} tokens", param="logit_bias")
    for token in asked:
        if not (token.isascii() and token.isdecimal() and len(token) < 10):
            raise RequestError(f"logit_bias: {token[:50]!r} is not a token's number", param="logit_bias")
    return asked
