"""The ASGI application: paths, guard, errors.

Each path has a `Resource`: a handler a method. A handler gives a response or raises; errors become
responses here and nowhere else, and only while nothing has been sent, because a response sends itself after
its handler is done. No middleware wraps ``send``: on two busy cores every frame between an engine and a
client's socket costs tokens.
"""

import logging
from collections.abc import Awaitable, Callable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from isthmus.errors import IsthmusError, NotFound
from isthmus.ledger import Keys
from isthmus.server import chat, manage, models
from isthmus.server.failures import error_response, method_not_allowed, unexpected
from isthmus.server.guard import Guard
from isthmus.server.state import Served
from isthmus.server.streaming import ClientGone
from isthmus.settings import Secret

Handler = Callable[[Request], Awaitable[Response]]

_log = logging.getLogger(__name__)


def build_app(service: Served, *, keys: Keys, run_key: Secret, host: str) -> ASGIApp:
    """The server's application.

    Args:
        service: What answers.
        keys: The keys that people created.
        run_key: The key of the person who runs it.
        host: The address that it will listen on.
    """
    router = Router(
        routes=[
            Route("/v1/chat/completions", Resource(service, POST=chat.chat_completions)),
            Route("/v1/models", Resource(service, GET=models.list_models)),
            Route("/v1/models/{model:path}", Resource(service, GET=models.one_model)),
            Route("/isthmus/models", Resource(service, GET=manage.loaded_models)),
            Route("/isthmus/models/{model:path}/load", Resource(service, POST=manage.load_model)),
            Route("/isthmus/models/{model:path}/unload", Resource(service, POST=manage.unload_model)),
            Route("/health", Resource(service, GET=models.health)),
        ],
        redirect_slashes=False,
        default=Resource(service),
    )
    return Guard(router, keys=keys, run_key=run_key, host=host)


class Resource:
    """What stands at a path: an ASGI application of one handler a method."""

    def __init__(self, service: Served, **handlers: Handler) -> None:
        self._service = service
        self._handlers = handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        scope["state"]["served"] = self._service
        response = await self._respond(Request(scope, receive))
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        path, method = request.url.path, "GET" if request.method == "HEAD" else request.method
        handler = self._handlers.get(method)
        if handler is None:
            if not self._handlers:
                return error_response(NotFound(f"there is nothing at {request.method} {path}"), path)
            return method_not_allowed(request.method, path, self._handlers)
        try:
            return await handler(request)
        except IsthmusError as error:
            return error_response(error, path)
        except (ClientGone, ClientDisconnect):
            return Response(status_code=499)
        except Exception:  # noqa: BLE001 - the client learns that it happened, the log learns what
            _log.exception("%s %s failed", request.method, path)
            return unexpected(path)
