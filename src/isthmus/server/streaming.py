"""Answers that come in pieces, and clients that go away."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from functools import partial
from types import TracebackType
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
    async with _Presence(partial(_hung_up, request.receive)):
        return await work()


async def wait_unless_gone(
    request: Request, doing: asyncio.Future[Any], *, timeout_s: float | None = None
) -> None:
    """Wait until some work is done, or for as long as the time-out says.

    Raises:
        ClientGone: The client hung up meanwhile.
    """
    async with _Presence(partial(_hung_up, request.receive)):
        await asyncio.wait((doing,), timeout=timeout_s)


class _Presence:
    """A block that is left with `ClientGone` once somebody who watches the client says that it has gone.

    It is a time-out whose time comes then. The block runs in the task that it stands in, as a task of its own
    would cost a quick answer more than all that is watched.

    Args:
        watch: Returns when the client has gone; started after a while, and cancelled with the block.
    """

    def __init__(self, watch: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._watch = watch
        self._watching: asyncio.Task[None] | None = None
        self._patience = asyncio.timeout(None)

    async def __aenter__(self) -> None:
        await self._patience.__aenter__()
        self._timer = asyncio.get_running_loop().call_later(_UNWATCHED_S, self._begin)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self._watching is not None:
            self._watching.remove_done_callback(self._end)
            self._watching.cancel()
        try:
            await self._patience.__aexit__(kind, error, traceback)
        except TimeoutError as gone:
            raise ClientGone from gone

    def _begin(self) -> None:
        self._watching = asyncio.ensure_future(self._watch())
        self._watching.add_done_callback(self._end)

    def _end(self, _watching: asyncio.Task[None]) -> None:
        self._patience.reschedule(0.0)


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
            async with _Presence(partial(self._attend, receive, send)):
                await self._send(send)
        except ClientGone:
            pass
        finally:
            await self._pieces.aclose()

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for piece in self._pieces:
            self._sent += 1
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _attend(self, receive: Receive, send: Send) -> None:
        """Fill silences until the client hangs up; pieces need no look at the clock."""
        watching = asyncio.ensure_future(_hung_up(receive))
        try:
            while not watching.done():
                before = self._sent
                await asyncio.wait((watching,), timeout=self._quiet_s)
                if self._sent == before and not watching.done():
                    await send({"type": "http.response.body", "body": self._ping, "more_body": True})
        finally:
            watching.cancel()


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
