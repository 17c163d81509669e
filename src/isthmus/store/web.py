"""Requests to web servers that nobody vouches for: bounded in time and size, redirected by rule.

A redirect never leads from https to http, and a `Bearer` is shown to its own server alone, however often
that redirects. Cookies and ``~/.netrc`` play no part; a proxy that the person has set for all programs does.
"""

import os
import ssl
import urllib.request
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeAlias

import aiohttp
import anyio
from msgspec import Struct
from yarl import URL

from isthmus.errors import FetchError
from isthmus.store.sources.base import Credential

CONNECT_TIMEOUT_S = 4.0
"""Short: where a source can't be reached, the next one may be waiting."""
STALL_TIMEOUT_S = 30.0
"""The longest silence, before the first byte and between any two."""
MAX_REDIRECTS = 10
MAX_RETRY_AFTER_S = 60.0
"""Longer waits that a server asks for (429, 503) are told to the person instead."""
ANSWER_LIMIT_BYTES = 8 << 20
"""The longest listing or manifest that is read."""
BUSY = frozenset({429, 502, 503, 504})
"""Answers that may be others a moment later."""

RETRY_PAUSE_S = 1.0
"""The pause before a busy server is asked again that doesn't say how long it wants."""

Body: TypeAlias = Callable[[], AsyncGenerator[bytes] | bytes] | None
"""What is sent, made anew for each try."""

_ATTEMPTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_READ_BYTES = 1 << 20


class Answer(Struct, frozen=True):
    """A short answer, whole: ``url`` is where it came from in the end."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes
    url: str


@asynccontextmanager
async def open_session() -> AsyncGenerator[aiohttp.ClientSession]:
    """A session for requests that may last for hours, but never fall silent."""
    timeout = aiohttp.ClientTimeout(
        total=None, connect=CONNECT_TIMEOUT_S, sock_connect=CONNECT_TIMEOUT_S, sock_read=STALL_TIMEOUT_S
    )
    async with aiohttp.ClientSession(
        timeout=timeout,
        read_bufsize=_READ_BYTES,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        # Without identity a server may compress, and then lengths and ranges count something else.
        headers={"Accept-Encoding": "identity", "User-Agent": "isthmus"},
    ) as session:
        yield session


@asynccontextmanager
async def get(
    session: aiohttp.ClientSession,
    url: str | URL,
    *,
    credential: Credential | None = None,
    headers: Mapping[str, str] | None = None,
) -> AsyncGenerator[aiohttp.ClientResponse]:
    """GET, through redirects, up to the beginning of the body; any status is an answer.

    Raises:
        FetchError: The server can't be reached, or redirects in circles, to nowhere, or to http from https.
    """
    target = check_address(url)
    response = None
    for _ in range(MAX_REDIRECTS + 1):
        try:
            response = await session.get(
                target,
                headers={**(headers or {}), **(credential.headers(str(target)) if credential else {})},
                allow_redirects=False,
                proxy=_proxy(target),
            )
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise FetchError(in_few_words(error)) from error
        if response.status not in _REDIRECTS:
            break
        target = _redirected(target, response)
        response.close()
    else:
        raise FetchError("it redirects in circles")
    async with response:
        yield response


async def ask(
    url: str,
    *,
    credential: Credential | None = None,
    headers: Mapping[str, str] | None = None,
    limit_bytes: int = ANSWER_LIMIT_BYTES,
) -> Answer:
    """GET something short; a server that is busy is asked again when it says so.

    Raises:
        FetchError: The server can't be reached, its answer is longer than ``limit_bytes``, or is cut off.
    """
    async with open_session() as session:
        for attempt in range(1, _ATTEMPTS + 1):
            async with get(session, url, credential=credential, headers=headers) as response:
                pause = retry_pause_s(response.status, response.headers)
                if pause is None or attempt == _ATTEMPTS:
                    body = await _read_whole(response, limit_bytes)
                    return Answer(
                        response.status, response.reason or "", response.headers, body, str(response.url)
                    )
            await anyio.sleep(pause)
    raise AssertionError("the last attempt returns")


async def send(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    *,
    credential: Credential | None = None,
    headers: Mapping[str, str] | None = None,
    body: Body = None,
) -> Answer:
    """A request other than GET, once; no redirect is followed.

    Raises:
        FetchError: The server can't be reached, or its answer is cut off.
    """
    target = check_address(url)
    shown = {**(headers or {}), **(credential.headers(str(target)) if credential else {})}
    async with AsyncExitStack() as stack:
        content = body() if body else b""
        if isinstance(content, AsyncGenerator):  # an answer may come before all of it is sent
            await stack.enter_async_context(aclosing(content))
        try:
            response = await stack.enter_async_context(
                session.request(
                    method, target, headers=shown, data=content, allow_redirects=False, proxy=_proxy(target)
                )
            )
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise FetchError(in_few_words(error)) from error
        answer = await _read_whole(response, ANSWER_LIMIT_BYTES)
    return Answer(response.status, response.reason or "", response.headers, answer, str(target))


def check_address(url: str | URL) -> URL:
    """An address that can be asked.

    Raises:
        FetchError: It isn't one of a web server.
    """
    try:
        address = URL(url)
    except ValueError as error:
        raise FetchError("its address is not a URL") from error
    if address.scheme not in ("http", "https") or not address.host:
        raise FetchError("its address is not a URL")
    return address


def refused(status: int, reason: str | None, hint: str | None = None) -> FetchError:
    """The error for an answer that isn't what was asked for; ``hint`` is for 401 and 403."""
    words = f"it answers {status} {reason or ''}".rstrip().lower()
    return FetchError(words, hint=hint if status in (401, 403) else None)


def retry_pause_s(status: int, headers: Mapping[str, str]) -> float | None:
    """How long to wait before a busy server is asked again; None where that would be no use.

    Raises:
        FetchError: It wants to be left alone for longer than `MAX_RETRY_AFTER_S`.
    """
    if status not in BUSY:
        return None
    wanted = _retry_after_s(headers.get("Retry-After", ""))
    if wanted is None:
        return RETRY_PAUSE_S
    if wanted > MAX_RETRY_AFTER_S:
        raise FetchError(f"it answers {status} and wants to be asked again in {wanted:,.0f} s")
    return wanted


def in_few_words(error: Exception) -> str:
    """What went wrong on the way to a server."""
    match error:
        case aiohttp.ClientHttpProxyError():
            return f"the proxy answers {error.status}"
        case aiohttp.ClientProxyConnectionError():
            return "the proxy can't be reached"
        case aiohttp.ClientConnectorDNSError():
            return "its name can't be resolved"
        case aiohttp.ClientConnectorCertificateError() | ssl.SSLError() | aiohttp.ClientSSLError():
            return "its certificate can't be trusted"
        case aiohttp.ConnectionTimeoutError():
            return f"no connection within {CONNECT_TIMEOUT_S:g} s"
        case TimeoutError():
            return f"no answer within {STALL_TIMEOUT_S:g} s"
        case aiohttp.InvalidURL():
            return "its address is not a URL"
        case aiohttp.ServerDisconnectedError():
            return "it closed the connection"
        case aiohttp.ClientResponseError():
            return "its answer is not HTTP"
        case OSError(errno=int(number)):
            return os.strerror(number).lower()  # asyncio's own text has the address, but not the reason
        case _:
            return (str(error) or type(error).__name__).lower()


# ---------------------------------------------------------------- addresses


def _redirected(url: URL, response: aiohttp.ClientResponse) -> URL:
    """Where a redirect leads, if it may lead there."""
    location = response.headers.get("Location", "")
    try:
        # A signed address must arrive as it was written, so it isn't quoted anew.
        target = url.join(URL(location, encoded=location.isascii()))
    except ValueError as error:
        raise FetchError("it redirects to something that is not a URL") from error
    if not location or not target.host or target.scheme not in ("http", "https"):
        raise FetchError("it redirects to nowhere")
    if url.scheme == "https" and target.scheme == "http":
        raise FetchError("it redirects from https to http, where anyone could change the bytes")
    return target.with_user(None)


def _proxy(url: URL) -> str | None:
    """The proxy that the person has set for all programs, where it is meant for this address."""
    if not url.host or urllib.request.proxy_bypass(url.host):
        return None
    return urllib.request.getproxies().get(url.scheme)


# ---------------------------------------------------------------- answers


async def _read_whole(response: aiohttp.ClientResponse, limit_bytes: int) -> bytes:
    body = bytearray()
    try:
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > limit_bytes:
                raise FetchError(f"its answer is longer than {limit_bytes:,} bytes")
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise FetchError(in_few_words(error)) from error
    return bytes(body)


def _retry_after_s(value: str) -> float | None:
    """``Retry-After`` in seconds, from a number or a date."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
