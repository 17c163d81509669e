"""A worker that does not come back from an answer's form: how that is found out, and ended.

llama.cpp holds an answer to its schema or grammar in the loop in which it serves everybody. One that can be
read in very many ways at once keeps that loop for ever, however short it is, so that no bound at the door
prevents it. Each answer that has a form is therefore looked after.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol

from isthmus.fit.sizes import MICRO_BATCH
from isthmus.messages import Finish
from isthmus.transport.chat_client import UpstreamError

LOOK_S = 5.0
"""An answer that goes on is looked at this often; it costs the others nothing."""
UNKNOWN_S = 120.0
"""How long the loop may take for one turn before it is known how fast the worker reads."""
LEAST_S = 15.0
_SLACK = 4
"""A turn may take this many times as long as a micro-batch of prompts, which is the most work in it."""
_TELLING = 32
"""Prompts of fewer tokens don't tell how fast they are read."""
_ASKED = "/lora-adapters"
"""Something small that only the loop itself can answer."""


class Client(Protocol):
    """What asks a worker."""

    async def get(self, path: str) -> Any:
        """The JSON document at a path."""
        ...


class Watchdog:
    """Looks after the answers of one worker that must keep to a form.

    Args:
        client: Asks the worker.
        end: Ends it.
    """

    def __init__(self, client: Client, end: Callable[[], None]) -> None:
        self._client = client
        self._end = end
        self._token_s: float | None = None
        self.bit = False
        """Whether the worker hung, and was ended for it."""

    @property
    def patience_s(self) -> float:
        """How long the worker may take to answer at all."""
        if self._token_s is None:
            return UNKNOWN_S
        return max(LEAST_S, _SLACK * MICRO_BATCH * self._token_s)

    def learn(self, finish: Finish) -> None:
        """Take note of how fast a prompt was read; the slowest counts."""
        usage, timings = finish.usage, finish.timings
        if usage is None or timings is None or timings.prompt_s is None:
            return
        read = usage.prompt_tokens - usage.cached_tokens
        if read >= _TELLING:
            self._token_s = max(self._token_s or 0.0, timings.prompt_s / read)

    @asynccontextmanager
    async def watching(self, said: Callable[[], int]) -> AsyncGenerator[None, None]:
        """Look after an answer, of which ``said`` counts what has come."""
        watch = asyncio.ensure_future(self._watch(said))
        try:
            yield
        finally:
            watch.cancel()

    async def _watch(self, said: Callable[[], int]) -> None:
        before = -1
        while True:
            await asyncio.sleep(LOOK_S)
            now = said()
            if now == before and not await self._comes_back():
                self.bit = True
                self._end()
                return
            before = now

    async def _comes_back(self) -> bool:
        try:
            async with asyncio.timeout(self.patience_s):
                await self._client.get(_ASKED)
        except TimeoutError:
            return False
        except UpstreamError as error:
            # Whatever it says, it says something; and one that has fallen needs nobody to end it.
            return error.kind != "timeout"
        return True
