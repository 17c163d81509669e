"""One streamed call of a model's API over HTTP, from a request to events.

Errors are `UpstreamError`, with the facts and without judgement: whether it is the engine's fault, the
provider's or the request's is known a floor up, where it is mapped.
"""

import asyncio
import math
import os
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal, Protocol, TypeAlias, cast
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import msgspec

from isthmus.generator import EventStream
from isthmus.messages import Event, Finish
from isthmus.settings import Secret
from isthmus.wire.chat_reader import ChunkReader, StreamError
from isthmus.wire.sse import DONE, EventReader

Kind: TypeAlias = Literal["unreachable", "timeout", "rejected", "overloaded", "failed", "cut", "garbled"]

_END_S = 0.5
"""How long the body's end may take after ``[DONE]``; only a connection read to its end is used again."""
_ERROR_BYTES = 65536
"""How much of an error's body is read."""
_MESSAGE_LENGTH = 500
_WHOLE_BODIES = frozenset({"application/json", "text/html"})
"""What a stream of events surely isn't. Other types are let pass: servers are careless with them."""


class UpstreamError(Exception):
    """A call that didn't come to a whole answer.

    ``kind``: unreachable (no connection), timeout (no answer in time, or a gateway says so), rejected (4xx),
    overloaded (429, 503, 529), failed (other 5xx, an error in the stream), cut (the stream ended before the
    answer did), garbled (no status of failure, and not the API's language either).
    ``detail`` is the upstream's error object, where it sent one. ``retry_after_s`` is its own advice.
    """

    def __init__(
        self,
        kind: Kind,
        message: str,
        *,
        status: int | None = None,
        detail: Mapping[str, Any] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.kind: Kind = kind
        self.message = message
        self.status = status
        self.detail = detail or {}
        self.retry_after_s = retry_after_s


class Reader(Protocol):
    """What makes events of one answer's payloads."""

    @property
    def ended(self) -> bool:
        """Whether a payload has said that it is the last."""
        ...

    @property
    def whole(self) -> bool:
        """Whether the answer is."""
        ...

    def read(self, payload: bytes) -> list[Event]:
        """The events of one payload."""
        ...

    def finish(self) -> Iterator[Finish]:
        """How the answer ended."""
        ...


class ChatClient:
    """Calls one address; `close` gives its connections back.

    Args:
        base_url: Up to and including the version. A query (Azure's ``api-version``) stays behind the path.
        key: What proves who asks.
        key_header: The header that the key is sent in; in ``Authorization`` as a bearer token.
        connect_timeout_s: How long a connection may take.
        first_byte_timeout_s: How long the answer may take to begin: its head, and the first of its body.
        stall_timeout_s: The longest silence in the middle of it.
        headers: Sent with each call.
        proxies: Whether the proxies that the environment names are used. Never for what is local: a
            proxy would carry a question off the machine.
        compressed: Whether a body may come compressed, as some gateways send it unasked.
        reuse: Whether connections are kept for the next call. Our own worker closes them when it likes, so
            that a call may find its connection gone, and on loopback a new one costs next to nothing.
        usage_each: Whether each choice comes with a usage of its own, as our own worker's do.
    """

    def __init__(
        self,
        base_url: str,
        *,
        key: Secret | None = None,
        key_header: str = "Authorization",
        connect_timeout_s: float = 5.0,
        first_byte_timeout_s: float = 60.0,
        stall_timeout_s: float = 60.0,
        headers: Mapping[str, str] | None = None,
        proxies: bool = False,
        compressed: bool = False,
        reuse: bool = True,
        usage_each: bool = False,
    ) -> None:
        base, _, query = base_url.partition("?")
        self._base_url = base.rstrip("/")
        self._query = f"?{query}" if query else ""
        self._headers = {"Content-Type": "application/json", "Accept-Encoding": "identity", **(headers or {})}
        self._key = key
        self._key_header = key_header
        self._compressed = compressed
        self._connect_timeout_s = connect_timeout_s
        self._first_byte_timeout_s = first_byte_timeout_s
        self._stall_timeout_s = stall_timeout_s
        self._proxy = _proxy_for(self._base_url) if proxies else None
        self._reuse = reuse
        self._usage_each = usage_each
        self._session: aiohttp.ClientSession | None = None

    async def stream(
        self,
        body: bytes,
        choices: int = 1,
        *,
        path: str = "/chat/completions",
        reader: Reader | None = None,
    ) -> EventStream:
        """Send ``body`` and yield the events of the answer; closing the iterator hangs up at once.

        Args:
            body: The request.
            choices: How many the answer has.
            path: Where it goes, below the base address.
            reader: What understands the answer; by default Chat Completions' chunks are.

        Raises:
            UpstreamError: See there. Events may have come before.
        """
        events = EventReader()
        if reader is None:
            reader = ChunkReader(choices, usage_each=self._usage_each)
        with _translated(self._key):
            response, piece = await self._begin(path, body)
            async with response:
                while piece:
                    payloads = events.feed(piece)
                    done = DONE in payloads
                    for payload in payloads[: payloads.index(DONE)] if done else payloads:
                        for event in reader.read(payload):
                            yield event
                    if done or reader.ended:
                        await _read_to_end(response)
                        break
                    piece = await response.content.readany()
        if not reader.whole:
            raise UpstreamError("cut", "its stream ended before its answer did")
        for finish in reader.finish():
            yield finish

    async def get(self, path: str) -> Any:
        """Fetch a JSON document from ``path`` below the base address.

        Raises:
            UpstreamError: It couldn't be had.
        """
        return await self._call("GET", path)

    async def post(self, path: str, body: bytes | None = None) -> Any:
        """Have something done at ``path``; the JSON document that comes back.

        Raises:
            UpstreamError: It wasn't done.
        """
        return await self._call("POST", path, body)

    async def close(self) -> None:
        """Give the connections back."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _call(self, method: str, path: str, body: bytes | None = None) -> Any:
        with _translated(self._key):
            async with (
                asyncio.timeout(self._first_byte_timeout_s),
                self._open().request(
                    method,
                    self._base_url + path + self._query,
                    data=body,
                    allow_redirects=False,
                    proxy=self._proxy,
                ) as response,
            ):
                if response.status != 200:
                    raise await _refusal(response, self._key)
                return msgspec.json.decode(await response.read())

    async def _begin(self, path: str, body: bytes) -> tuple[aiohttp.ClientResponse, bytes]:
        """The response and the first of its body; from then on the connection's own timer watches silences.

        A time-out of ours around each read would be a tenth of what a token costs.
        """
        async with asyncio.timeout(self._first_byte_timeout_s):
            # No redirects: a key and a question go to the address that the person named, or nowhere.
            response = await self._open().post(
                self._base_url + path + self._query,
                data=body,
                allow_redirects=False,
                proxy=self._proxy,
            )
            try:
                await self._check(response)
                piece = await response.content.readany()
            except BaseException:
                response.close()
                raise
        if response.connection is not None and response.connection.protocol is not None:
            response.connection.protocol.read_timeout = self._stall_timeout_s
            response.connection.protocol.start_timeout()
        return response, piece

    async def _check(self, response: aiohttp.ClientResponse) -> None:
        if response.status != 200 or response.content_type in _WHOLE_BODIES:
            raise await _refusal(response, self._key)

    def _open(self) -> aiohttp.ClientSession:
        # Made on first use, because a session belongs to the running event loop.
        if self._session is None:
            # Reading has its deadlines above: aiohttp's total knows no beginning and middle of an answer.
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._connect_timeout_s)
            connector = aiohttp.TCPConnector(limit=0, force_close=not self._reuse)
            # Nobody's cookies are kept: an upstream isn't to know one question from the next.
            self._session = aiohttp.ClientSession(
                headers=self._head(),
                timeout=timeout,
                connector=connector,
                auto_decompress=self._compressed,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    def _head(self) -> dict[str, str]:
        if self._key is None:
            return self._headers
        bearer = "Bearer " if self._key_header == "Authorization" else ""
        return {**self._headers, self._key_header: bearer + self._key.reveal()}


def _proxy_for(address: str) -> str | None:
    """The proxy that the environment names for an address.

    aiohttp's own look-up would bring ~/.netrc with it, whose passwords are not for a provider.
    """
    parts = urlsplit(address)
    return None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)


@contextmanager
def _translated(key: Secret | None) -> Generator[None]:
    """Whatever goes wrong on the way becomes an `UpstreamError`."""
    try:
        yield
    except StreamError as error:
        told = _without(key, str(error)) or "it reported an error without a word"
        raise UpstreamError("failed", told[:_MESSAGE_LENGTH]) from None
    except aiohttp.ClientHttpProxyError as error:
        raise UpstreamError("unreachable", f"the proxy answered with status {error.status}") from None
    except aiohttp.ClientResponseError:
        # Cut off from its cause, which holds the request's headers, and so the key.
        raise UpstreamError("garbled", "it doesn't speak HTTP as it should") from None
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise UpstreamError("garbled", f"it sent something that is not its API's JSON ({error})") from error
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise UpstreamError("unreachable", _reason(error)) from error
    except TimeoutError as error:
        raise UpstreamError("timeout", "it was silent for too long") from error
    except aiohttp.ClientPayloadError as error:
        raise UpstreamError("cut", "the connection broke before the end of the answer") from error
    except (aiohttp.ClientError, OSError) as error:
        raise UpstreamError("cut", f"the connection broke ({_reason(error)})") from error


async def _read_to_end(response: aiohttp.ClientResponse) -> None:
    if response.content.at_eof():
        return
    with suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(_END_S):
            while await response.content.readany():
                pass


async def _refusal(response: aiohttp.ClientResponse, key: Secret | None) -> UpstreamError:
    """What a response that isn't a stream of events says."""
    raw = b""
    with suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(_END_S):
            while len(raw) < _ERROR_BYTES and (piece := await response.content.readany()):
                raw += piece
    detail, message = _error_object(_without(key, raw[:_ERROR_BYTES].decode(errors="replace")))
    status = response.status
    kind = _kind(status, told=bool(message))
    if 300 <= status < 400:
        message = f"it redirects elsewhere ({status}), which is not followed"
    elif not message:
        told = f"status {status}" if status != 200 else f"{response.content_type}, not a stream of events"
        message = f"it answered with {told}"
    return UpstreamError(
        kind,
        message[:_MESSAGE_LENGTH],
        status=status,
        detail=detail,
        retry_after_s=_retry_after(response.headers, datetime.now(UTC)),
    )


def _kind(status: int, *, told: bool) -> Kind:
    if status in (429, 503, 529):  # 529 is Anthropic's
        return "overloaded"
    if status in (408, 504, 524):  # 524 is Cloudflare's: who stands behind it may have gone on
        return "timeout"
    if status < 300:
        return "failed" if told else "garbled"
    return "rejected" if status < 500 else "failed"


def _retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds until it wants to be asked again: told in milliseconds (OpenAI's), in seconds, or as a date."""
    with suppress(ValueError):
        if milliseconds := headers.get("Retry-After-Ms"):
            return _not_negative(float(milliseconds) / 1000)
        if seconds := headers.get("Retry-After"):
            return _not_negative(float(seconds))
    with suppress(ValueError):
        moment = parsedate_to_datetime(headers.get("Retry-After", ""))
        return _not_negative((moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())
    return None


def _not_negative(seconds: float) -> float | None:
    """A wait that can be waited for; None for "nan" and "inf", which are numbers, too."""
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _error_object(raw: str) -> tuple[dict[str, Any], str]:
    """An error body's object and message; servers differ in how they wrap it."""
    try:
        body: Any = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, RecursionError):
        # A web page says nothing to a person in a terminal.
        return {}, "" if raw.lstrip().startswith("<") else " ".join(raw.split())
    if isinstance(body, list) and body:
        body = cast("list[Any]", body)[0]  # Google wraps its error in a list
    if isinstance(body, dict):
        tree = cast("dict[str, Any]", body)
        inner: Any = tree.get("error", tree)
        if isinstance(inner, dict):
            detail = cast("dict[str, Any]", inner)
            return detail, str(detail.get("message") or "")
        return {}, str(inner)
    return {}, ""


def _without(key: Secret | None, text: str) -> str:
    """The text, in which an upstream may have quoted the key that it doesn't like."""
    return text.replace(key.reveal(), "****") if key and key.reveal() else text


def _reason(error: BaseException) -> str:
    cause = getattr(error, "os_error", None) or error
    if isinstance(cause, OSError) and cause.errno and cause.errno > 0:
        return os.strerror(cause.errno).lower()
    text = str(cause) or type(error).__name__
    return text.splitlines()[0][:200]
