"""Who may come in: the host, the origin, the key and its limits, before anything else sees a request.

A server on loopback is reachable by every web page that its owner opens. So a page of another origin is
turned away unless the settings name it, and so is a host name that isn't this server's own (DNS rebinding).
"""

import logging
import secrets
from collections.abc import Mapping

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from isthmus.errors import AccessDenied, ForeignOrigin, IsthmusError, ScopeMissing
from isthmus.ledger import KeyInfo, KeyRing
from isthmus.ledger import Scope as KeyScope
from isthmus.server.cors import Cors
from isthmus.server.exchange import Exchange
from isthmus.server.failures import error_response, unexpected
from isthmus.server.limiter import Limiter
from isthmus.settings import LOOPBACK, Secret, ServerSettings

_OPEN = frozenset({"/", "/health", "/v1/health", "/ready", "/docs", "/handoff"})
"""Paths that tell nothing and need no key."""
_ANY_KEY = frozenset({"/metrics"})
"""Paths that a key of any scope opens."""
_ASKERS = "/isthmus/handoff/"
"""The same for all below it: who asked may decide what becomes of it."""
_MANAGE = frozenset({"/api/pull", "/api/push", "/api/create", "/api/copy", "/api/delete"})
"""Paths that change which models there are, beside all of /isthmus/."""
_UNCOUNTED = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that ask for no work, so that they count against no key's rate."""
_HEADERS = frozenset(
    {b"host", b"origin", b"authorization", b"x-api-key", b"api-key", b"content-length"}
    | {b"access-control-request-method", b"access-control-request-headers"}
    | {b"access-control-request-private-network"}
)
_NAMES_KEPT = 64

_log = logging.getLogger(__name__)


class Guard:
    """ASGI middleware. It leaves the key's name in ``scope["state"]["key"]``, the key in the exchange.

    Args:
        app: What it guards.
        keys: The keys that people created. Once there is one, every request needs one.
        run_key: The key in the run file, which the same person's `isthmus ask` sends: it shows that the
            caller can read that person's files, and leaves ``scope["state"]["own"]`` true.
        host: The address that the server listens on.
        settings: Which hosts and origins may ask.
        limiter: What keys may still use.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        keys: KeyRing,
        run_key: Secret,
        host: str,
        settings: ServerSettings,
        limiter: Limiter,
    ) -> None:
        self._app = app
        self._keys = keys
        self._run_key = run_key.reveal().encode()
        self._loopback = host in LOOPBACK
        self._limiter = limiter
        self._cors = Cors(settings, keys)
        # Beyond loopback every request has a key, which no page of a rebound name knows.
        own = {*LOOPBACK, host.lower(), *(each.lower() for each in settings.allowed_hosts)}
        self._hosts = own if self._loopback or settings.allowed_hosts else None
        self._good_hosts: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request pass, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        response = self._judge(scope)
        if response is None:
            await self._app(scope, receive, send)
            return
        exchange: Exchange = scope["state"]["exchange"]
        exchange.status = response.status_code
        response.raw_headers.extend(exchange.headers)
        await response(scope, receive, send)

    def _judge(self, scope: Scope) -> Response | None:
        """The response to a request that may not pass, or that the guard itself answers."""
        state, path = scope["state"], scope["path"]
        exchange: Exchange = state["exchange"]
        said = {name: value.decode("latin-1") for name, value in scope["headers"] if name in _HEADERS}
        try:
            self._check_host(said.get(b"host", ""))
            if b"origin" in said and (preflight := self._cors.judge(exchange, said)):
                return preflight
            own, key = self._admit(said, path)
            state["own"], state["key"], exchange.key = own, key.name if key else None, key
            if key is not None and exchange.method not in _UNCOUNTED:
                self._count(exchange, key, said)
        except IsthmusError as error:
            exchange.error = error
            challenge = {"WWW-Authenticate": "Bearer"} if error.http_status == 401 else None
            return error_response(error, path, challenge)
        except Exception:  # noqa: BLE001 - the client learns that it happened, the log learns what
            _log.exception("a request could not be judged")
            return unexpected(path)
        return None

    def _check_host(self, given: str) -> None:
        if self._hosts is None or given in self._good_hosts:
            return
        name = _without_port(given)
        if name not in self._hosts:
            raise ForeignOrigin(
                f"this server does not go by the name {name[:100]!r}",
                hint="use 127.0.0.1" if self._loopback else "server.allowed_hosts names others",
            )
        if len(self._good_hosts) < _NAMES_KEPT:
            self._good_hosts.add(given)

    def _admit(self, said: Mapping[bytes, str], path: str) -> tuple[bool, KeyInfo | None]:
        """Whether the caller is the server's own person, and the key that came."""
        needed = _needed(path)
        given = _secrets(said)
        for secret in given:
            if secrets.compare_digest(secret.encode("latin-1"), self._run_key):
                return True, None
            if (key := self._keys.find(secret)) is not None:
                if needed is not None and needed not in key.scopes and not _open_to_any(path):
                    raise ScopeMissing(
                        f"the key {key.name!r} may not do this: its scope is {', '.join(key.scopes)}",
                        hint=f"isthmus key create NAME --scope {needed}",
                    )
                return False, key
        if needed is None:
            return False, None
        if not self._loopback or not self._keys.empty:
            problem = "this key is unknown or revoked" if given else "this server wants a key"
            raise AccessDenied(problem, hint="isthmus key create NAME, then send it as a bearer token")
        return False, None

    def _count(self, exchange: Exchange, key: KeyInfo, said: Mapping[bytes, str]) -> None:
        length = said.get(b"content-length", "")
        try:
            exchange.admission = self._limiter.admit(key, int(length) if length.isdecimal() else 0)
        finally:
            exchange.headers += self._limiter.headers(key)


def _needed(path: str) -> KeyScope | None:
    """The scope that a path takes; None where it takes no key."""
    if path in _OPEN or path.startswith(("/docs/", "/handoff/")):
        return None
    if path.startswith(("/isthmus/", "/api/blobs/")) or path in _MANAGE:
        return "manage"
    return "infer"


def _open_to_any(path: str) -> bool:
    """Whether a key of any scope will do."""
    return path in _ANY_KEY or path.startswith(_ASKERS)


def _secrets(said: Mapping[bytes, str]) -> list[str]:
    """The keys that came: OpenAI's clients send a bearer token, Anthropic's x-api-key, Azure's api-key."""
    scheme, _, token = said.get(b"authorization", "").partition(" ")
    given = (token if scheme.lower() == "bearer" else "", said.get(b"x-api-key"), said.get(b"api-key"))
    return [secret for each in given if each and (secret := each.strip())]


def _without_port(host: str) -> str:
    """The name in a Host header, without the brackets of an IPv6 address."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()
