"""Fetching a file from Hugging Face: one plain HTTPS request, continued where the last one was cut."""

import os
import re
import ssl

import aiohttp
import anyio
import anyio.to_thread

from isthmus.errors import FetchError
from isthmus.store.catalogue import HuggingFace
from isthmus.store.part import Part

CONNECT_TIMEOUT_S = 4.0
"""Short: where Hugging Face can't be reached, the next source is waiting."""
STALL_TIMEOUT_S = 30.0
"""The longest silence, before the first byte and between any two."""
FRUITLESS_ATTEMPTS = 3
"""How many requests in a row may be cut off before they brought `FRUITFUL_BYTES`."""
FRUITFUL_BYTES = 1 << 20
RETRY_PAUSE_S = 1.0

_CHUNK_BYTES = 1 << 20


async def fetch(source: HuggingFace, part: Part, endpoint: str) -> None:
    """Append the rest of the file to ``part``.

    Raises:
        FetchError: It can't be reached, refuses, or sends something else; the message says so in few words.
        DigestMismatch: It sends more bytes than were promised.
        StorageError: The disk is full.
    """
    url = f"{endpoint.rstrip('/')}/{source.repository}/resolve/main/{source.file}"
    timeout = aiohttp.ClientTimeout(
        total=None, connect=CONNECT_TIMEOUT_S, sock_connect=CONNECT_TIMEOUT_S, sock_read=STALL_TIMEOUT_S
    )
    # trust_env: a proxy that the person has set for all programs holds for this one too.
    async with aiohttp.ClientSession(timeout=timeout, trust_env=True, read_bufsize=_CHUNK_BYTES) as session:
        fruitless = 0
        while True:
            before = part.length
            cut = await _request(session, url, part)
            if cut is None:
                return
            fruitless = 0 if part.length - before >= FRUITFUL_BYTES else fruitless + 1
            if fruitless == FRUITLESS_ATTEMPTS:
                raise FetchError(cut)
            await anyio.sleep(RETRY_PAUSE_S)


async def _request(session: aiohttp.ClientSession, url: str, part: Part) -> str | None:
    """One request for what is missing; None if it brought all there is, else why another may bring more."""
    # Without identity a server may compress, and then ranges count something else.
    headers = {"Accept-Encoding": "identity"}
    if part.length:
        headers["Range"] = f"bytes={part.length}-"
    try:
        async with session.get(url, headers=headers) as response:
            if response.status == 416 and part.length:  # it has fewer bytes than are here
                part.truncate(0)
                return "it has no more bytes than are here already"
            _check_answer(response, part)
            return await _read_body(response, part)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise FetchError(_in_few_words(error)) from error


async def _read_body(response: aiohttp.ClientResponse, part: Part) -> str | None:
    try:
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            await anyio.to_thread.run_sync(part.append, chunk)
            part.show(part.length)
    except (aiohttp.ClientPayloadError, aiohttp.ClientConnectionError, TimeoutError) as error:
        return "it went silent" if isinstance(error, TimeoutError) else "the connection was cut"
    return None


def _check_answer(response: aiohttp.ClientResponse, part: Part) -> None:
    """Make sure that the body goes on where ``part`` ends, or start over if it is the whole file."""
    if response.status == 206:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        if match and int(match[1]) == part.length and match[2] in (str(part.total), "*"):
            return
        raise FetchError("it sends another stretch of the file than was asked for")
    if response.status != 200:
        raise FetchError(f"it answers {response.status} {response.reason or ''}".rstrip().lower())
    if response.content_length not in (None, part.total):
        raise FetchError(f"it offers {response.content_length:,} bytes where {part.total:,} are expected")
    part.truncate(0)


def _in_few_words(error: Exception) -> str:
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
        case aiohttp.TooManyRedirects():
            return "it redirects in circles"
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
