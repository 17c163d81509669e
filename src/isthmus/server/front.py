"""The outermost layer of the application: it notes each request, and reports it once it is over."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from starlette.types import ASGIApp, Receive, Scope, Send

from isthmus.errors import Overloaded
from isthmus.server.exchange import PROBES, UNKNOWN_PATH, Exchange
from isthmus.server.failures import error_response
from isthmus.server.state import Served

Watcher: TypeAlias = Callable[[Exchange], None]
"""Is told of every exchange, in the event loop, after its response: for logs, metrics, traces."""

_BACK_IN_S = 5
"""When a server that stops may be back, or another be found in its place."""

_log = logging.getLogger(__name__)


class Front:
    """ASGI middleware. It leaves an `Exchange` in ``scope["state"]["exchange"]``.

    Nothing is wrapped around ``send``: whoever makes a response notes its status in the exchange.

    Args:
        app: What answers.
        service: Says whether the server is about to stop, and counts the requests in flight.
        templates: The path, as the routes have it, of each endpoint.
        watchers: Who is told.
    """

    def __init__(
        self, app: ASGIApp, *, service: Served, templates: Mapping[Any, str], watchers: Sequence[Watcher]
    ) -> None:
        self._app = app
        self._service = service
        self._templates = templates
        self._plain = frozenset(each for each in templates.values() if "{" not in each)
        self._watchers = watchers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have a request answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(scope)
        scope.setdefault("state", {})["exchange"] = exchange
        service = self._service
        service.enter()
        try:
            if service.draining and exchange.path not in PROBES:
                await _turn_away(exchange, scope, receive, send)
            else:
                await self._app(scope, receive, send)
        finally:
            service.leave()
            exchange.end(self._template(scope, exchange.path), self._report)
            del scope["state"]["exchange"]  # each knows the other, which only the collector would undo

    def _template(self, scope: Scope, path: str) -> str:
        """The path as the routes have it, though the guard let the request go no further than itself."""
        found = self._templates.get(scope.get("endpoint"))
        return found or (path if path in self._plain else UNKNOWN_PATH)

    def _report(self, exchange: Exchange) -> None:
        # What was written leaves the process at the end of this turn of the event loop, so they are told in
        # the next one: no response waits for a line of the log.
        asyncio.get_running_loop().call_soon(self._tell, exchange)

    def _tell(self, exchange: Exchange) -> None:
        for watcher in self._watchers:
            try:
                watcher(exchange)
            except Exception:  # noqa: BLE001 - the response is sent, and the other watchers are yet to be told
                _log.exception("a request could not be reported")


async def _turn_away(exchange: Exchange, scope: Scope, receive: Receive, send: Send) -> None:
    exchange.error = Overloaded("the server is being stopped", retry_after_s=_BACK_IN_S)
    response = error_response(exchange.error, exchange.path, {"Connection": "close"})
    exchange.status = response.status_code
    response.raw_headers.extend(exchange.headers)
    await response(scope, receive, send)
