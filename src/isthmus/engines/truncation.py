"""Leaving out the oldest turns of a conversation that is longer than the context, where its caller asks so.

A turn is a user's message and all that follows up to the next one: answers, tool calls, their results. System
messages stay wherever they are, and so does the last turn.
"""

from collections.abc import Awaitable, Callable, Sequence

import msgspec
from msgspec import Struct

from isthmus.errors import ContextLengthExceeded
from isthmus.messages import GenerationRequest, Message, Notice

CountTokens = Callable[[GenerationRequest], Awaitable[int]]


class Shortened(Struct, frozen=True):
    """A request that fits, and what its caller is told of it."""

    request: GenerationRequest
    notice: Notice


async def shorten(
    request: GenerationRequest, prompt_tokens: int, context_length: int, count: CountTokens
) -> Shortened:
    """Leave out as few whole turns as will do, and leave room for an answer.

    Args:
        request: One whose prompt doesn't fit.
        prompt_tokens: Its length.
        context_length: What there is.
        count: Tells how long a request's prompt is; called for a few of the requests that may come out.

    Raises:
        ContextLengthExceeded: Its last turn alone is too long.
    """
    shorter = [msgspec.structs.replace(request, messages=each) for each in shortenings(request.messages)]
    tokens = await count(shorter[-1]) if shorter else prompt_tokens
    if tokens >= context_length:
        raise too_long(tokens, context_length, "the last turn alone")
    place, limit = len(shorter) - 1, context_length - _room(request, context_length)
    first = 0
    while first < place:  # all from ``place`` on fit, as far as anything does
        middle = (first + place) // 2
        length = await count(shorter[middle])
        if length <= limit:
            place, tokens = middle, length
        else:
            first = middle + 1
    gone = len(request.messages) - len(shorter[place].messages)
    text = (
        f"the oldest {gone} of {len(request.messages)} messages were left out, "
        f"{prompt_tokens - tokens:,} of {prompt_tokens:,} tokens: the context has {context_length:,}"
    )
    return Shortened(shorter[place], Notice("truncated", text, hint="raise engine.context_length"))


def shortenings(messages: Sequence[Message]) -> list[tuple[Message, ...]]:
    """The conversation without its oldest turn, without its two oldest, and so on up to the last turn."""
    turns = _turns(messages)
    oldest_first = sorted({turn for turn in turns if turn is not None})
    return [
        tuple(each for each, turn in zip(messages, turns, strict=True) if turn is None or turn > last_gone)
        for last_gone in oldest_first[:-1]
    ]


def too_long(
    tokens: int | None, context_length: int | None, what: str = "the prompt"
) -> ContextLengthExceeded:
    """The error that says both lengths."""
    return ContextLengthExceeded(
        f"{what} has {tokens} tokens, and the model's allocated context is {context_length}",
        hint="shorten it, or raise engine.context_length",
        param="messages",
    )


def _room(request: GenerationRequest, context_length: int) -> int:
    """Tokens to leave for the answer: a quarter of the context, or what it may have if that is less."""
    quarter = context_length // 4
    return min(request.max_tokens or quarter, quarter)


def _turns(messages: Sequence[Message]) -> list[int | None]:
    """Each message's turn, in order of time; None for a system message, which belongs to all of them."""
    turns: list[int | None] = []
    calls: dict[str, int] = {}
    turn = 0
    for message in messages:
        if message.role in ("system", "developer"):
            turns.append(None)
            continue
        turn += message.role == "user"
        calls |= {call.id: turn for call in message.tool_calls}
        # A tool's result is nothing without its call, wherever it stands.
        turns.append(calls.get(message.tool_call_id or "", turn))
    return turns
