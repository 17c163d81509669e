"""Answers that come in pieces, and clients that go away."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import TypeVar

import anyio
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

T = TypeVar("T")


class ClientGone(Exception):
    """The client hung up; there is nobody to tell."""


async def unless_gone(request: Request, work: Callable[[], Awaitable[T]]) -> T:
    """Do the work, but stop it as soon as the client hangs up: a slot is not kept busy for nobody.

    Raises:
        ClientGone: It did hang up.
    """
    result: list[T] = []
    failure: list[Exception] = []

    async def do(scope: anyio.CancelScope) -> None:
        # Errors are carried out by hand: a task group would wrap them.
        try:
            result.append(await work())
        except Exception as error:  # noqa: BLE001 - raised again below
            failure.append(error)
        scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(do, group.cancel_scope)
        await _hung_up(request.receive)
        group.cancel_scope.cancel()
    if failure:
        raise failure[0]
    if not result:
        raise ClientGone
    return result[0]


class EventStreamResponse(Response):
    """Server-sent events from a generator, which is closed when the client hangs up.

    Starlette's own leaves a generator running where the server doesn't report a closed socket.
    """

    def __init__(self, pieces: AsyncGenerator[bytes, None], headers: Mapping[str, str]) -> None:
        super().__init__(media_type="text/event-stream", headers={**headers, "Cache-Control": "no-store"})
        del self.headers["content-length"]
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the pieces as they come."""

        async def pump(cancel: anyio.CancelScope) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            async for piece in self._pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            cancel.cancel()

        try:
            async with anyio.create_task_group() as group:
                group.start_soon(pump, group.cancel_scope)
                await _hung_up(receive)
                group.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await self._pieces.aclose()


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
