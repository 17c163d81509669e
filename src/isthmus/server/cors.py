"""Which pages of other origins may use the server: none, unless the settings name them."""

import re
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from isthmus.errors import ForeignOrigin
from isthmus.ledger import KeyRing
from isthmus.server.exchange import Exchange
from isthmus.settings import ServerSettings

_METHODS = "GET, POST, PUT, DELETE, HEAD, OPTIONS"
_REMEMBER_S = 600
_RATES = [
    f"x-ratelimit-{what}-{of}" for what in ("limit", "remaining", "reset") for of in ("requests", "tokens")
]
_EXPOSED = ", ".join(
    [
        "x-request-id",
        "x-isthmus-route",
        "x-isthmus-reason",
        "x-isthmus-consent-id",
        "x-isthmus-ignored-parameters",
        "retry-after",
        *_RATES,
    ]
).encode()
_OWN_PAGES = frozenset({"same-origin", "none"})
_NAMES = re.compile(r"[A-Za-z0-9_, -]{0,4000}", re.ASCII)


class Cors:
    """Judges requests that come from pages.

    Args:
        settings: The origins that may ask.
        keys: "*" counts only where a key is needed, unless the settings say otherwise.
    """

    def __init__(self, settings: ServerSettings, keys: KeyRing) -> None:
        self._origins = frozenset(each.lower() for each in settings.cors_origins)
        self._without_keys = settings.cors_without_keys
        self._keys = keys

    def judge(self, exchange: Exchange, said: Mapping[bytes, str]) -> Response | None:
        """Let a request that has an Origin pass; the response, where it is a preflight.

        Raises:
            ForeignOrigin: That origin may not ask.
        """
        origin = said[b"origin"]
        if origin.lower() in self._origins:
            allowed = origin
        elif "*" in self._origins and (self._without_keys or not self._keys.empty):
            allowed = "*"
        elif is_own_origin(origin, said.get(b"host", "")):
            return None
        else:
            raise ForeignOrigin(
                f"pages from {origin[:200]!r} may not use this server", hint="server.cors_origins lets them"
            )
        exchange.headers += [
            (b"access-control-allow-origin", allowed.encode("latin-1")),
            (b"access-control-expose-headers", _EXPOSED),
            (b"vary", b"Origin"),
        ]
        if exchange.method == "OPTIONS" and b"access-control-request-method" in said:
            return _preflight(said)
        return None


def _preflight(said: Mapping[bytes, str]) -> Response:
    """What a browser asks before the request itself; it sends no key, so none is needed."""
    headers = {"Access-Control-Allow-Methods": _METHODS, "Access-Control-Max-Age": str(_REMEMBER_S)}
    wanted = said.get(b"access-control-request-headers", "")
    if wanted and _NAMES.fullmatch(wanted):
        headers["Access-Control-Allow-Headers"] = wanted
    if said.get(b"access-control-request-private-network") == "true":
        headers["Access-Control-Allow-Private-Network"] = "true"
    return Response(status_code=204, headers=headers)


def from_elsewhere(request: Request) -> bool:
    """Whether another site's page asks, whatever the settings let pages do."""
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site", "none")
    return site not in _OWN_PAGES or not (origin is None or is_own_origin(origin, request.headers["host"]))


def is_own_origin(origin: str, host: str) -> bool:
    """Whether the page is the server's own."""
    scheme, separator, rest = origin.partition("://")
    return bool(host) and separator == "://" and scheme in ("http", "https") and rest == host
