"""The ASGI application: routes, guard, errors."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route

from isthmus.errors import IsthmusError
from isthmus.ledger import Keys
from isthmus.server import chat, failures, models
from isthmus.server.guard import Guard
from isthmus.server.state import Served
from isthmus.settings import Secret


def build_app(service: Served, *, keys: Keys, run_key: Secret, host: str) -> Starlette:
    """The server's application.

    Args:
        service: What answers.
        keys: The keys that people created.
        run_key: The key of the person who runs it.
        host: The address that it will listen on.
    """
    app = Starlette(
        routes=[
            Route("/v1/chat/completions", chat.chat_completions, methods=["POST"]),
            Route("/v1/models", models.list_models),
            Route("/v1/models/{model:path}", models.one_model),
            Route("/health", models.health),
        ],
        middleware=[Middleware(Guard, keys=keys, run_key=run_key, host=host)],
        exception_handlers={
            IsthmusError: failures.on_isthmus_error,
            HTTPException: failures.on_http_exception,
            Exception: failures.on_unexpected,
        },
    )
    app.state.served = service
    return app
