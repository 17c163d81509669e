"""Who may come in: the host name, the origin and the key, before anything else looks at a request.

A server on loopback is reachable by every web page that its owner opens. So a page of another origin is
turned away, and so is a host name that isn't this server's own (DNS rebinding).
"""

import secrets
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from isthmus.errors import AccessDenied, ForeignOrigin, IsthmusError
from isthmus.ledger import Keys
from isthmus.server.failures import error_response
from isthmus.settings import LOOPBACK, Secret

_OPEN = frozenset({"/health"})
"""Paths that tell nothing and need no key."""


class Guard:
    """ASGI middleware. It leaves the key's name in ``scope["state"]["key"]``.

    Args:
        app: What it guards.
        keys: The keys that people created. Once there is one, every request needs one.
        run_key: The key in the run file, which the same person's `isthmus ask` sends: it shows that the
            caller can read that person's files, and leaves ``scope["state"]["own"]`` true.
        host: The address that the server listens on.
    """

    def __init__(self, app: ASGIApp, *, keys: Keys, run_key: Secret, host: str) -> None:
        self._app = app
        self._keys = keys
        self._run_key = run_key.reveal()
        self._loopback = host in LOOPBACK

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request pass, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        state = scope.setdefault("state", {})
        try:
            self._check_origin(headers)
            state["own"], state["key"] = self._admit(headers, scope["path"])
        except IsthmusError as error:
            challenge = {"WWW-Authenticate": "Bearer"} if error.http_status == 401 else None
            await error_response(error, scope["path"], challenge)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _check_origin(self, headers: Headers) -> None:
        host = urlsplit("//" + headers.get("host", "")).hostname or ""
        if self._loopback and host not in LOOPBACK:
            raise ForeignOrigin(f"this server does not go by the name {host!r}", hint="use 127.0.0.1")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != headers.get("host"):
            raise ForeignOrigin(f"pages from {origin!r} may not use this server")

    def _admit(self, headers: Headers, path: str) -> tuple[bool, str | None]:
        given = _bearer(headers)
        if given and secrets.compare_digest(given.encode(), self._run_key.encode()):
            return True, None
        known = self._keys.verify(given) if given else None
        if known is not None:
            return False, known.name
        if path in _OPEN:
            return False, None
        if not self._loopback or self._keys.any_active():
            problem = "this key is unknown or revoked" if given else "this server wants a key"
            raise AccessDenied(problem, hint="isthmus key create NAME, then send it as a bearer token")
        return False, None


def _bearer(headers: Headers) -> str:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""
