"""One streamed Chat Completions call over HTTP, from a request to events.

Errors are `UpstreamError`, with the facts and without judgement: whether it is the engine's fault, the
provider's or the request's is known a floor up, where it is mapped.
"""

import asyncio
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, TypeAlias, cast

import aiohttp
import msgspec

from isthmus.generator import EventStream
from isthmus.settings import Secret
from isthmus.wire.chat_reader import ChunkReader, StreamError
from isthmus.wire.sse import DONE, EventReader

Kind: TypeAlias = Literal["unreachable", "timeout", "rejected", "overloaded", "failed", "cut"]


class UpstreamError(Exception):
    """A call that didn't come to a whole answer.

    ``kind``: unreachable (no connection), timeout (no answer in time), rejected (4xx), overloaded (429,
    503), failed (other 5xx, an error in the stream), cut (the stream ended before the answer did).
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


class ChatClient:
    """Calls one address; `close` gives its connections back.

    Args:
        base_url: Up to and including the version, without a slash at the end.
        key: Sent as a bearer token.
        connect_timeout_s: How long a connection may take.
        first_byte_timeout_s: How long the answer may take to begin.
        stall_timeout_s: The longest silence in the middle of it.
        headers: Sent with each call.
        proxies: Whether the proxies that the environment names are used. Never for what is local: a
            proxy would carry a question off the machine.
        reuse: Whether connections are kept for the next call. Our own worker closes them when it likes, so
            that a call may find its connection gone, and on loopback a new one costs next to nothing.
    """

    def __init__(
        self,
        base_url: str,
        *,
        key: Secret | None = None,
        connect_timeout_s: float = 5.0,
        first_byte_timeout_s: float = 60.0,
        stall_timeout_s: float = 60.0,
        headers: Mapping[str, str] | None = None,
        proxies: bool = False,
        reuse: bool = True,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._headers = {"Content-Type": "application/json", "Accept-Encoding": "identity", **(headers or {})}
        self._key = key
        self._connect_timeout_s = connect_timeout_s
        self._first_byte_timeout_s = first_byte_timeout_s
        self._stall_timeout_s = stall_timeout_s
        self._proxies = proxies
        self._reuse = reuse
        self._session: aiohttp.ClientSession | None = None

    async def stream(self, body: bytes, choices: int = 1) -> EventStream:
        """Send ``body`` and yield the events of the answer; closing the iterator hangs up at once.

        Raises:
            UpstreamError: See there. Events may have come before.
        """
        reader, events = ChunkReader(choices), EventReader()
        with _translated():
            async with await self._post("/chat/completions", body) as response:
                if response.status != 200:
                    raise await _refusal(response)
                async for piece in response.content.iter_any():
                    for payload in events.feed(piece):
                        if payload == DONE:
                            continue
                        for event in reader.read(payload):
                            yield event
        if not reader.whole:
            raise UpstreamError("cut", "its stream ended before its answer did")
        for finish in reader.finish():
            yield finish

    async def get(self, path: str) -> Any:
        """Fetch a JSON document from ``path`` below the base address.

        Raises:
            UpstreamError: It couldn't be had.
        """
        with _translated():
            async with self._open().get(
                self._base_url + path, headers=self._head(), allow_redirects=False
            ) as response:
                if response.status != 200:
                    raise await _refusal(response)
                return msgspec.json.decode(await response.read())

    async def close(self) -> None:
        """Give the connections back."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _post(self, path: str, body: bytes) -> aiohttp.ClientResponse:
        # No redirects: a key and a question go to the address that the person named, or nowhere.
        async with asyncio.timeout(self._first_byte_timeout_s):
            return await self._open().post(
                self._base_url + path, data=body, headers=self._head(), allow_redirects=False
            )

    def _open(self) -> aiohttp.ClientSession:
        # Made on first use, because a session belongs to the running event loop.
        if self._session is None:
            timeout = aiohttp.ClientTimeout(
                total=None, sock_connect=self._connect_timeout_s, sock_read=self._stall_timeout_s
            )
            connector = aiohttp.TCPConnector(limit=0, force_close=not self._reuse)
            self._session = aiohttp.ClientSession(
                timeout=timeout, connector=connector, trust_env=self._proxies, auto_decompress=False
            )
        return self._session

    def _head(self) -> dict[str, str]:
        if self._key is None:
            return self._headers
        return {**self._headers, "Authorization": f"Bearer {self._key.reveal()}"}


@contextmanager
def _translated() -> Generator[None]:
    """Whatever goes wrong on the way becomes an `UpstreamError`."""
    try:
        yield
    except StreamError as error:
        raise UpstreamError("failed", str(error) or "it reported an error without a word") from error
    except (msgspec.MsgspecError, ValueError) as error:
        raise UpstreamError("failed", f"it sent something that is not its API's JSON ({error})") from error
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise UpstreamError("unreachable", _reason(error)) from error
    except TimeoutError as error:
        raise UpstreamError("timeout", "it was silent for too long") from error
    except (aiohttp.ClientError, OSError) as error:
        raise UpstreamError("cut", f"the connection broke ({_reason(error)})") from error


async def _refusal(response: aiohttp.ClientResponse) -> UpstreamError:
    """What a status other than 200 says."""
    raw = (await response.content.read(65536)).decode(errors="replace")
    detail, message = _error_object(raw)
    status = response.status
    if 300 <= status < 400:
        return UpstreamError(
            "rejected", f"it redirects elsewhere ({status}), which is not followed", status=status
        )
    kind: Kind = "rejected" if status < 500 else "failed"
    if status in (429, 503):
        kind = "overloaded"
    elif status == 408:
        kind = "timeout"
    retry_after = response.headers.get("Retry-After", "")
    return UpstreamError(
        kind,
        message or f"it answered with status {status}",
        status=status,
        detail=detail,
        retry_after_s=float(retry_after) if retry_after.isdigit() else None,
    )


def _error_object(raw: str) -> tuple[dict[str, Any], str]:
    """An error body's object and message; servers differ in how they wrap it."""
    try:
        body: Any = msgspec.json.decode(raw)
    except msgspec.MsgspecError:
        return {}, raw.strip()[:200]
    if isinstance(body, dict):
        tree = cast("dict[str, Any]", body)
        inner: Any = tree.get("error", tree)
        if isinstance(inner, dict):
            detail = cast("dict[str, Any]", inner)
            return detail, str(detail.get("message") or "")
        return {}, str(inner)
    return {}, ""


def _reason(error: BaseException) -> str:
    cause = getattr(error, "os_error", None) or error
    if isinstance(cause, OSError) and cause.errno and cause.errno > 0:
        return os.strerror(cause.errno).lower()
    text = str(cause) or type(error).__name__
    return text.splitlines()[0][:200]
