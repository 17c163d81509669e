"""HTTP as uvicorn speaks it, with the limits that it lacks: of heads, of connections, of patience.

Without them a client may hold memory or a slot for as long as it likes: with a head that never ends, a body
that never comes, a stream that it never reads. All of this costs a request that comes in one piece nothing.
"""

import asyncio
from http import HTTPStatus
from typing import Any, cast

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from isthmus.errors import IsthmusError, Overloaded, RequestError, RequestTooSlow
from isthmus.server.failures import error_body, error_response
from isthmus.server.outbox import Outbox
from isthmus.settings import ServerSettings

MAX_HEAD_BYTES = 64 * 1024
MAX_HEADERS = 200
HEAD_TIMEOUT_S = 20.0
"""How long a client may take from the first byte of a request to the end of its headers."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection.

    Args:
        args: uvicorn's.
        settings: The limits.
        kwargs: uvicorn's.
    """

    def __init__(self, *args: Any, settings: ServerSettings, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._settings = settings
        self._in_head = False
        self._in_message = False
        self._head_bytes = 0
        self._arriving: asyncio.TimerHandle | None = None  # ends the patience with what has begun to arrive
        self._leaving: asyncio.TimerHandle | None = None  # ends that with what is written and not read

    # ------------------------------------------------------------ the connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody connects; one too many is told to come back, once it has said what it wants."""
        super().connection_made(Outbox(transport, self.loop))
        if len(self.connections) > self._settings.max_connections:
            self.app = _too_many
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._stop_arriving()
        self._stop_leaving()
        super().connection_lost(exc)

    def timeout_keep_alive_handler(self) -> None:
        """It was idle for too long; what the client never read is not waited for."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            super().timeout_keep_alive_handler()

    def hang_up(self) -> None:
        """End it, whatever it is doing: to whoever answers it looks as if the client had gone."""
        self.transport.close()

    # ------------------------------------------------------------ what arrives

    def data_received(self, data: bytes) -> None:
        """Bytes come in."""
        self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(_head_too_large(), HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif not self._in_message:
            self._stop_arriving()
        elif self._arriving is None and not self.transport.is_closing():
            self._arrive_within(HEAD_TIMEOUT_S if self._in_head else self._settings.body_timeout_s)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._in_head = self._in_message = True

    def on_headers_complete(self) -> None:
        """Its head is here."""
        # What arrived may hold the body's beginning too, so only a large piece is looked into.
        too_large = self._head_bytes > MAX_HEAD_BYTES and _size(self.headers) > MAX_HEAD_BYTES
        if too_large or len(self.headers) > MAX_HEADERS or len(self.url) > MAX_HEAD_BYTES // 4:
            self.app = _head_refused
        self._in_head, self._head_bytes = False, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """All of it is here; `read_body` needs no patience any more."""
        self._in_message, self._head_bytes = False, 0
        self.scope.setdefault("state", {})["arrived"] = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """What arrives is no HTTP."""
        self._refuse(RequestError("this is not valid HTTP"), HTTPStatus.BAD_REQUEST)

    def _arrive_within(self, seconds: float) -> None:
        self._arriving = self.loop.call_later(seconds, self._overdue)

    def _stop_arriving(self) -> None:
        if self._arriving is not None:
            self._arriving.cancel()
            self._arriving = None

    def _overdue(self) -> None:
        self._arriving = None
        if self._in_head and not self.flow.read_paused:
            self._refuse(RequestTooSlow("the request's headers did not arrive in time"))
        elif not self._answering() and not self.flow.read_paused:
            self.transport.close()  # answered already, and still talking
        else:
            self._arrive_within(self._settings.body_timeout_s)  # `read_body` sees to it

    def _refuse(self, error: IsthmusError, status: int | None = None) -> None:
        """Answer what never became a request, and hang up."""
        if self.transport.is_closing():
            return
        self._in_message = self._in_head = False
        self._stop_arriving()
        # Nothing may be written into a response that is on its way.
        if not (self._answering() and self.cycle.response_started):
            self.transport.write(_raw(error, error.http_status if status is None else status))
        self.transport.close()

    def _answering(self) -> bool:
        """Whether a request is being answered; before the first one uvicorn has no cycle."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is not None and not cycle.response_complete

    # ------------------------------------------------------------ what leaves

    def pause_writing(self) -> None:
        """The client reads more slowly than is written."""
        super().pause_writing()
        self._leave_soon()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._stop_leaving()
        super().resume_writing()

    def on_response_complete(self) -> None:
        """A response is written, though maybe not read."""
        super().on_response_complete()
        if self.transport.is_closing() and self.transport.get_write_buffer_size():
            self._leave_soon()

    def _leave_soon(self) -> None:
        if self._leaving is None:
            self._leaving = self.loop.call_later(self._settings.write_timeout_s, self.transport.abort)

    def _stop_leaving(self) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None


def _size(headers: list[tuple[bytes, bytes]]) -> int:
    return sum(len(name) + len(value) + 4 for name, value in headers)


def _head_too_large() -> IsthmusError:
    return RequestError(
        f"the request's headers are more than {MAX_HEADERS}, or larger than {MAX_HEAD_BYTES // 1024} KiB"
    )


async def _head_refused(scope: Scope, receive: Receive, send: Send) -> None:
    response = error_response(_head_too_large(), scope["path"], {"Connection": "close"}, status=431)
    await response(scope, receive, send)


async def _too_many(scope: Scope, receive: Receive, send: Send) -> None:
    error = Overloaded("too many connections are open", retry_after_s=1, hint="raise server.max_connections")
    response = error_response(error, scope["path"], {"Connection": "close"})
    await response(scope, receive, send)


def _raw(error: IsthmusError, status: int) -> bytes:
    """A response to something of which no path is known."""
    body = error_body(error)
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body
