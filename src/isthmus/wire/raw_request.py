"""Prompts that the model reads as they stand, as OpenAI's requests and llama.cpp's have them."""

from collections.abc import Sequence
from typing import Annotated, Self, TypeAlias, TypeGuard, cast

import msgspec
from msgspec import Meta

from isthmus.errors import RequestError
from isthmus.messages import Message
from isthmus.wire.call import Call

MAX_PROMPTS = 64
"""One request may have so many prompts; each is a question of its own."""

TokenId: TypeAlias = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Raw: TypeAlias = str | tuple[int, ...]
"""A prompt as it stands: a text, or tokens."""
Prompt: TypeAlias = str | tuple[int | str, ...]
"""A prompt as it was sent: a text, tokens, or tokens with texts between them; `is_raw` tells them apart."""
Prompts: TypeAlias = str | list[str | TokenId | list[TokenId | str]]
"""What a parameter holds: one prompt, or a list of them. A list with tokens of its own is one."""


class RawCall(Call, frozen=True, kw_only=True):
    """A parsed request. ``request`` is what its prompts have in common; `of` makes that of one."""

    prompts: tuple[Prompt, ...] = ()

    def of(self, raw: Raw) -> Self:
        """The call that asks for the continuation of one prompt."""
        text = raw if isinstance(raw, str) else " ".join(map(str, raw))
        request = msgspec.structs.replace(self.request, raw=raw, messages=(Message("user", text),))
        return msgspec.structs.replace(self, request=request)


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
