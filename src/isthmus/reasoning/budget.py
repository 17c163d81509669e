"""How long a thought may be: counted as it comes, and looked at for a model that goes round in circles."""

import time
from typing import Literal, TypeAlias

from isthmus.messages import GenerationRequest, ModelInfo
from isthmus.reasoning.families import Family

CLOSING = "I have to stop thinking here, and answer with what I have."
"""How a thought ends that has used up its budget: a model that is cut off in the middle of a word goes on
thinking in its answer (the Qwen3 report, arXiv 2505.09388, section 4.3, does it with such a sentence)."""

Overrun: TypeAlias = Literal["budget", "time", "loop"]

_GRACE = 32
"""Tokens beyond a budget that the engine itself keeps: its last word, and room for its way to count."""
_ANSWER_TOKENS = 1024
"""A quarter of what may be written is kept for the answer, and so much at most."""
_DELTA_CHARACTERS = 16
"""A piece of up to so many characters is a token; a longer one is several, of four characters each."""
_LOOK_EVERY = 32
_TAIL = 4096
_PROBE = 24
_LEAST_LOOP = 400
"""Characters that say nothing new before they are a loop, in so many rounds at least:"""
_ROUNDS = 8


def budget_for(family: Family, request: GenerationRequest, model: ModelInfo) -> int | None:
    """The tokens that a thought may have; None: nobody knows a bound.

    The least of what was asked for (or what the effort comes to), and what leaves room for an answer.
    """
    asked = request.reasoning_budget
    if asked is None:
        asked = family.budget(request.effort)
    if (limit := limit_of(request)) is not None:
        room = limit - min(limit // 4, _ANSWER_TOKENS)
    else:
        room = None if model.context_length is None else model.context_length * 3 // 4
    return min((each for each in (asked, room) if each is not None), default=None)


def limit_of(request: GenerationRequest) -> int | None:
    """How many tokens may be written in all."""
    if request.max_tokens is None or request.max_total is None:
        return request.max_total if request.max_tokens is None else request.max_tokens
    return min(request.max_tokens, request.max_total)


def tokens_in(piece: str) -> int:
    """About how many tokens a piece of a stream is; nearly all engines send them one by one."""
    return 1 if len(piece) <= _DELTA_CHARACTERS else len(piece) // 4


class Watch:
    """Looks after one thought.

    Args:
        budget: How many tokens it may have; None: any number.
        kept: Whether the engine keeps to the budget by itself, so that only one that fails is interrupted.
        seconds: How long it may take, from now; 0: as long as it takes.
    """

    def __init__(self, budget: int | None, *, kept: bool, seconds: float = 0.0) -> None:
        self._until = time.monotonic() + seconds if seconds else None
        self._most = budget if budget is None or not kept else budget + _GRACE
        self._pieces: list[str] = []
        self._look = _LOOK_EVERY
        self.tokens = 0

    @property
    def text(self) -> str:
        """The thought so far."""
        return "".join(self._pieces)

    def add(self, piece: str) -> Overrun | None:
        """Take more of the thought; why it should end now, if it should."""
        self._pieces.append(piece)
        self.tokens += tokens_in(piece)
        if self._most is not None and self.tokens >= self._most:
            return "budget"
        if self._until is not None and time.monotonic() >= self._until:
            return "time"
        if self.tokens < self._look:
            return None
        self._look = self.tokens + _LOOK_EVERY
        return "loop" if circles("".join(self._pieces[-_TAIL:])[-_TAIL:]) else None


def circles(text: str) -> bool:
    """Whether a text ends in the same words again and again."""
    last = text.rfind(text[-_PROBE:], 0, -1) if len(text) > _LEAST_LOOP else -1
    if last < 0:
        return False
    period = len(text) - _PROBE - last
    length = max(_LEAST_LOOP, period * (_ROUNDS - 1))
    return length + period <= len(text) and text[-length:] == text[-length - period : -period]
