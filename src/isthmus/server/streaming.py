"""Answers that come in pieces, and clients that go away."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import TypeVar

import anyio
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
        await asyncio.wait((doing,), timeout=_UNWATCHED_S)
        if not doing.done():
            watching = asyncio.ensure_future(_hung_up(request.receive))
            try:
                await asyncio.wait((doing, watching), return_when=asyncio.FIRST_COMPLETED)
            finally:
                watching.cancel()
        if not doing.done():
            raise ClientGone
        return doing.result()
    finally:
        if not doing.done():
            doing.cancel()
            await asyncio.gather(doing, return_exceptions=True)


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
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._pump, send, group.cancel_scope)
                group.start_soon(self._keep_warm, send)
                await _hung_up(receive)
                group.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await self._pieces.aclose()

    async def _pump(self, send: Send, stop: anyio.CancelScope) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for piece in self._pieces:
            self._sent += 1
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        stop.cancel()

    async def _keep_warm(self, send: Send) -> None:
        """Send a ping wherever a whole interval passed without a piece; pieces need no look at the clock."""
        while True:
            before = self._sent
            await anyio.sleep(self._quiet_s)
            if self._sent == before:
                await send({"type": "http.response.body", "body": self._ping, "more_body": True})


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
