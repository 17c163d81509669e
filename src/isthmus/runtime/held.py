"""A stream that can be held back: read ahead without being shown, then shown from its beginning."""

import math
from collections.abc import Callable

from isthmus.errors import IsthmusError, WorkerDied
from isthmus.generator import EventStream
from isthmus.handoff.estimate import chosen_logprobs
from isthmus.handoff.policy import Draft
from isthmus.messages import Event, Finish, TokenScores

_RETRIES = 1
"""A worker that fell before anything was shown is asked once more."""


class HeldStream:
    """Reads a generator's stream ahead of showing it.

    Args:
        start: Begins the stream; called again where a worker fell before anything was shown.
    """

    def __init__(self, start: Callable[[], EventStream]) -> None:
        self._start = start
        self._stream = start()
        self._events: list[Event] = []
        self._scored = 0  # tokens whose log-probabilities have come
        self._retries = _RETRIES
        self._whole = False
        self.error: IsthmusError | None = None
        """Why the stream ended early, if it did."""

    async def begin(self) -> bool:
        """Read up to the first event; whether there is one."""
        await self._fill(lambda: bool(self._events))
        return self.error is None

    async def hold(self, tokens: int | None) -> bool:
        """Read ``tokens`` scored tokens, or all of the answer if None; whether it went well."""
        goal = math.inf if tokens is None else tokens
        await self._fill(lambda: self._scored >= goal)
        return self.error is None

    def draft(self) -> Draft:
        """What the policy may know of the answer so far."""
        scores = [each for event in self._events if isinstance(event, TokenScores) for each in event.tokens]
        return Draft(chosen_logprobs(scores), self._whole)

    def release(self) -> tuple[list[Event], EventStream]:
        """What was held, and the stream of the rest: to be shown in this order, once, if all went well."""
        held, self._events = self._events, []
        return held, self._stream

    async def close(self) -> None:
        """Stop the work behind the stream."""
        await self._stream.aclose()

    async def _fill(self, enough: Callable[[], bool]) -> None:
        while not (enough() or self._whole or self.error):
            try:
                event = await anext(self._stream)
            except StopAsyncIteration:
                self._whole = True
            except WorkerDied as error:
                self._restart(error)
            except IsthmusError as error:
                self.error = error
            else:
                self._events.append(event)
                if isinstance(event, TokenScores):
                    self._scored += len(event.tokens)
                self._whole = isinstance(event, Finish) and event.usage is not None

    def _restart(self, error: WorkerDied) -> None:
        """Nothing was shown, so a second try starts from the beginning."""
        if self._retries == 0:
            self.error = error
            return
        self._retries -= 1
        self._events.clear()
        self._scored = 0
        self._stream = self._start()
