"""The context that requests share: who may come in, and whose answer ends when it is full.

All slots of a worker draw on one pool of tokens, so that a single request may use all of it. Where that pool
runs out, llama.cpp fails every answer in flight; so it must not run out. A request comes in when there is
room for its prompt and for the answer that it asks for, within reason: of that much it is then sure. Answers
may go on beyond it as long as there is room; when there is none, the one that has gone furthest ends, as any
answer does that reaches the end of its context.
"""

import asyncio
from collections import deque

_LEAST_SHARE = 64
"""Tokens of answer that a request is sure of, however small the context is."""
_UNSEEN = 8
"""Tokens of an answer that may not have been seen yet: the beginning of a tag, half a character."""


class Part:
    """A request's part of the context.

    ``tokens`` are there so far, ``promised`` it is sure of; it may be up to ``ahead`` further than is known.
    ``over`` says that its answer must end now.
    """

    def __init__(self, tokens: int, promised: int, ahead: int) -> None:
        self.tokens = tokens
        self.promised = promised
        self.ahead = ahead
        self.over = False

    @property
    def room(self) -> int:
        """What must be kept free for it, with what it has."""
        return max(self.tokens, self.promised) + self.ahead


class ContextRoom:
    """A pool of tokens.

    Args:
        tokens: How many there are.
        slots: How many requests may share them.
        guesses: Tokens that an answer may be guessed ahead, which take room too.
    """

    def __init__(self, tokens: int, slots: int, guesses: int) -> None:
        self._tokens = tokens
        self._share = max(_LEAST_SHARE, tokens // (2 * slots))
        self._largest_share = max(_LEAST_SHARE, tokens // 4)
        self._ahead = guesses + _UNSEEN
        self._parts: set[Part] = set()
        self._waiting: deque[tuple[asyncio.Future[None], Part]] = deque()

    def try_enter(self, prompt: int, answer: int | None, choices: int = 1) -> Part | None:
        """A part of the room, if there is enough of it and nobody waits.

        Args:
            prompt: The prompt's tokens, or more.
            answer: Tokens that an answer may have, where the request says so.
            choices: Answers that it asks for. They share the prompt.
        """
        part = self._part(prompt, answer, choices)
        if self._waiting or not self._has_room(part):
            return None
        self._parts.add(part)
        return part

    async def enter(self, prompt: int, answer: int | None, choices: int = 1) -> Part:
        """Wait for a part of the room, first come first served. Whoever is alone gets in."""
        part = self._part(prompt, answer, choices)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((future, part))
        self._let_in()
        try:
            await future
        except asyncio.CancelledError:
            self.leave(part)  # it may have been let in, and has gone away
            raise
        return part

    def grow(self, part: Part) -> None:
        """Count a token of an answer; where that fills the room, the answer that is furthest is over."""
        part.tokens += 1
        staying = [each for each in self._parts if not each.over]
        if sum(each.room for each in staying) > self._tokens:
            furthest = max(staying, key=lambda each: each.tokens - each.promised)
            furthest.over = furthest.tokens > furthest.promised

    def leave(self, part: Part) -> None:
        """Give a part back."""
        self._parts.discard(part)
        self._let_in()

    def _part(self, prompt: int, answer: int | None, choices: int) -> Part:
        share = self._share if answer is None else min(answer, self._largest_share)
        return Part(prompt, prompt + choices * share, choices * self._ahead)

    def _has_room(self, part: Part) -> bool:
        return sum(each.room for each in self._parts) + part.room <= self._tokens

    def _let_in(self) -> None:
        while self._waiting:
            future, part = self._waiting[0]
            if not future.done():
                if self._parts and not self._has_room(part):
                    return
                self._parts.add(part)
                future.set_result(None)
            self._waiting.popleft()
