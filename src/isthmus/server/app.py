"""The ASGI application: paths, guard, errors.

Each path has a `Resource`: a handler a method. A handler gives a response or raises; errors become
responses here and nowhere else, and only while nothing has been sent, because a response sends itself after
its handler is done. No middleware wraps ``send``: on two busy cores every frame between an engine and a
client's socket costs tokens.
"""

import logging
from collections.abc import Sequence

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from isthmus.errors import IsthmusError, NotFound
from isthmus.ledger import KeyRing
from isthmus.server import (
    chat,
    completions,
    docs,
    embeddings,
    handoff,
    health,
    llama,
    manage,
    messages,
    models,
    ollama,
    ollama_embed,
    ollama_manage,
    ollama_models,
    props,
    responses,
    responses_compact,
    tokens,
)
from isthmus.server.exchange import Exchange, exchange_of
from isthmus.server.failures import error_response, method_not_allowed, unexpected
from isthmus.server.front import Front, Watcher
from isthmus.server.guard import Guard
from isthmus.server.limiter import Limiter
from isthmus.server.metrics import Metrics
from isthmus.server.operation import Handler
from isthmus.server.state import Served
from isthmus.server.streaming import ClientGone
from isthmus.settings import Secret
from isthmus.wire.faults import outward

_UNVERSIONED = frozenset({"/chat/completions", "/completions", "/embeddings", "/models", "/responses"})
"""Paths that are there without their ``/v1``, too: llama-server, LiteLLM and others let it be left out."""

_log = logging.getLogger(__name__)


def build_app(
    service: Served, *, keys: KeyRing, run_key: Secret, host: str, watchers: Sequence[Watcher] = ()
) -> ASGIApp:
    """The server's application.

    Args:
        service: What answers.
        keys: The keys that people created.
        run_key: The key of the person who runs it.
        host: The address that it will listen on.
        watchers: Who is told of every request once it is over.
    """
    router = Router(routes=_routes(service), redirect_slashes=False, default=Resource(service))
    described = docs.openapi_document(router.routes)
    router.routes.append(Route("/openapi.json", Resource(service, GET=described)))
    told = [*watchers]
    if service.settings.metrics:
        metrics = Metrics(service, by_key=service.settings.metrics_by_key)
        router.routes.append(Route("/metrics", Resource(service, GET=metrics.endpoint)))
        told.append(metrics.watch)
    guard = Guard(
        router,
        keys=keys,
        run_key=run_key,
        host=host,
        settings=service.settings,
        limiter=Limiter(service.ledger.tokens_today),
    )
    routes = [route for route in router.routes if isinstance(route, Route)]
    templates = {route.endpoint: route.path for route in routes}
    unversioned = ((route, route.path.removeprefix("/v1")) for route in routes)
    router.routes += [Route(path, route.endpoint) for route, path in unversioned if path in _UNVERSIONED]
    return Front(guard, service=service, templates=templates, watchers=told)


def _routes(service: Served) -> list[BaseRoute]:
    """What stands where, but for what describes or counts the rest."""
    return [
        Route("/v1/chat/completions", Resource(service, POST=chat.chat_completions)),
        Route("/v1/completions", Resource(service, POST=completions.completions)),
        Route("/v1/embeddings", Resource(service, POST=embeddings.embeddings)),
        Route("/tokenize", Resource(service, POST=tokens.tokenize)),
        Route("/v1/tokenize", Resource(service, POST=tokens.tokenize)),
        Route("/detokenize", Resource(service, POST=tokens.detokenize)),
        Route("/completion", Resource(service, POST=llama.completion)),
        Route("/infill", Resource(service, POST=llama.infill)),
        Route("/props", Resource(service, GET=props.props)),
        Route("/apply-template", Resource(service, POST=tokens.apply_template)),
        Route("/v1/responses", Resource(service, POST=responses.create_response)),
        Route("/v1/responses/input_tokens", Resource(service, POST=responses.input_tokens)),
        Route("/v1/responses/compact", Resource(service, POST=responses_compact.compact_response)),
        Route(
            "/v1/responses/{response}",
            Resource(service, GET=responses.get_response, DELETE=responses.delete_response),
        ),
        Route("/v1/responses/{response}/cancel", Resource(service, POST=responses.cancel_response)),
        Route("/v1/responses/{response}/input_items", Resource(service, GET=responses.list_input_items)),
        Route("/v1/messages", Resource(service, POST=messages.messages)),
        Route("/v1/messages/count_tokens", Resource(service, POST=messages.count_tokens)),
        Route("/", Resource(service, GET=ollama_models.root)),
        Route("/api/version", Resource(service, GET=ollama_models.version)),
        Route("/api/tags", Resource(service, GET=ollama_models.tags)),
        Route("/api/ps", Resource(service, GET=ollama_models.ps)),
        Route("/api/show", Resource(service, POST=ollama_models.show)),
        Route("/api/chat", Resource(service, POST=ollama.chat)),
        Route("/api/generate", Resource(service, POST=ollama.generate)),
        Route("/api/embed", Resource(service, POST=ollama_embed.embed)),
        Route("/api/embeddings", Resource(service, POST=ollama_embed.embed_one)),
        Route("/api/pull", Resource(service, POST=ollama_manage.pull)),
        Route("/api/copy", Resource(service, POST=ollama_manage.copy)),
        Route("/api/delete", Resource(service, DELETE=ollama_manage.delete)),
        Route("/api/create", Resource(service, POST=ollama_manage.create)),
        Route("/api/push", Resource(service, POST=ollama_manage.push)),
        Route("/v1/models", Resource(service, GET=models.list_models)),
        Route("/v1/models/{model:path}", Resource(service, GET=models.one_model)),
        Route("/isthmus/models", Resource(service, GET=manage.loaded_models)),
        Route("/isthmus/models/{model:path}/load", Resource(service, POST=manage.load_model)),
        Route("/isthmus/models/{model:path}/unload", Resource(service, POST=manage.unload_model)),
        Route("/isthmus/handoff/pending", Resource(service, GET=handoff.list_pending)),
        Route("/isthmus/handoff/pending/{id}", Resource(service, GET=handoff.preview_pending)),
        Route("/isthmus/handoff/pending/{id}/approve", Resource(service, POST=handoff.approve_pending)),
        Route("/isthmus/handoff/pending/{id}/decline", Resource(service, POST=handoff.decline_pending)),
        Route("/health", Resource(service, GET=health.health)),
        Route("/v1/health", Resource(service, GET=health.health)),
        Route("/ready", Resource(service, GET=health.ready)),
        Route("/handoff", Resource(service, GET=handoff.handoff_page)),
        Route("/handoff/{name}", Resource(service, GET=handoff.handoff_file)),
        Route("/docs", Resource(service, GET=docs.docs_page)),
        Route("/docs/{name}", Resource(service, GET=docs.docs_file)),
    ]


class Resource:
    """What stands at a path: an ASGI application of one handler a method."""

    def __init__(self, service: Served, **handlers: Handler) -> None:
        self._service = service
        self.handlers = handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        scope["state"]["served"] = self._service
        request = Request(scope, receive)
        exchange = exchange_of(request)
        response = await self._respond(request, exchange)
        exchange.status = response.status_code
        response.raw_headers.extend(exchange.headers)
        await response(scope, receive, send)

    async def _respond(self, request: Request, exchange: Exchange) -> Response:
        path, method = exchange.path, "GET" if exchange.method == "HEAD" else exchange.method
        handler = self.handlers.get(method)
        if handler is None:
            if not self.handlers:
                return error_response(NotFound(f"there is nothing at {exchange.method} {path}"), path)
            return method_not_allowed(exchange.method, path, self.handlers)
        try:
            return await handler(request)
        except IsthmusError as error:
            exchange.error = error
            if outward(error) != (error.message, error.hint):
                _log.warning("%s %s: %s", method, path, error)  # where it is, which no client is told
            return error_response(error, path)
        except (ClientGone, ClientDisconnect):
            return Response(status_code=499)
        except Exception:  # noqa: BLE001 - the client learns that it happened, the log learns what
            _log.exception("%s %s failed", exchange.method, path)
            return unexpected(path)
