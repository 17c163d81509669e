"""Answers that come in pieces, and clients that go away."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

T = TypeVar("T")

_UNWATCHED_S = 0.05
"""For so long nobody looks whether the client is still there: to watch costs more than a quick answer."""


class ClientGone(Exception):
    """The client hung up; there is nobody to tell."""


async def unless_gone(request: Request, work: Callable[[], Awaitable[T]]) -> T:
    """Do the work, but stop it soon after the client hangs up: a slot is not kept busy for nobody.

    Raises:
        ClientGone: It did hang up.
    """
    doing = asyncio.ensure_future(work())
    try:
        await wait_unless_gone(request, doing)
        return doing.result()
    finally:
        await _stopped(doing)


async def wait_unless_gone(
    request: Request, doing: asyncio.Future[T], *, timeout_s: float | None = None
) -> None:
    """Wait until some work is done, or for as long as the time-out says.

    Raises:
        ClientGone: The client hung up meanwhile.
    """
    unwatched_s = _UNWATCHED_S if timeout_s is None else min(_UNWATCHED_S, timeout_s)
    await asyncio.wait((doing,), timeout=unwatched_s)
    if doing.done():
        return
    watching = asyncio.ensure_future(_hung_up(request.receive))
    try:
        await asyncio.wait((doing, watching), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if watching.done() and not doing.done():
            raise ClientGone
    finally:
        watching.cancel()


class EventStreamResponse(Response):
    """Server-sent events from a generator, which is closed when the client hangs up.

    Starlette's own leaves a generator running where the server doesn't report a closed socket.

    Args:
        pieces: What is sent, as it comes.
        headers: Beside those that every stream has.
        ping: What is sent where nothing else was for a while.
        quiet_s: How long that is, in seconds.
        media_type: Of streams that aren't server-sent events.
    """

    def __init__(
        self,
        pieces: AsyncGenerator[bytes, None],
        headers: Mapping[str, str],
        *,
        ping: bytes,
        quiet_s: float,
        media_type: str = "text/event-stream",
    ) -> None:
        super().__init__(media_type=media_type, headers={**headers, "Cache-Control": "no-store"})
        del self.headers["content-length"]
        self._pieces = pieces
        self._ping = ping
        self._quiet_s = quiet_s
        self._sent = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the pieces as they come."""
        sending = asyncio.ensure_future(self._send(send))
        try:
            await asyncio.wait((sending,), timeout=_UNWATCHED_S)
            if not sending.done():
                await self._attend(sending, receive, send)
            if sending.done():
                sending.result()
        finally:
            await _stopped(sending)
            await self._pieces.aclose()

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for piece in self._pieces:
            self._sent += 1
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _attend(self, sending: asyncio.Future[None], receive: Receive, send: Send) -> None:
        """Fill silences until all is sent, or the client hangs up; pieces need no look at the clock."""
        watching = asyncio.ensure_future(_hung_up(receive))
        try:
            while not (sending.done() or watching.done()):
                before = self._sent
                await asyncio.wait(
                    (sending, watching), timeout=self._quiet_s, return_when=asyncio.FIRST_COMPLETED
                )
                if self._sent == before and not (sending.done() or watching.done()):
                    await send({"type": "http.response.body", "body": self._ping, "more_body": True})
        finally:
            watching.cancel()


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _stopped(work: asyncio.Future[Any]) -> None:
    """Stop some work, unless it is done, and wait until it has stopped."""
    if not work.done():
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
