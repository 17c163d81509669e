"""How fast the line to the Hub is: a few seconds of a download that comes next anyway."""

import time

import aiohttp
import anyio

from isthmus.cli.outlook import Line
from isthmus.settings import Settings
from isthmus.store.catalogue import CatalogueEntry, HuggingFace

CONNECT_TIMEOUT_S = 3.0
SAMPLE_S = 1.5
SAMPLE_BYTES = 16 << 20
_CHUNK_BYTES = 1 << 16
_ENOUGH_BYTES = 1 << 18
"""Fewer say nothing of the speed."""


async def measure(entry: CatalogueEntry, settings: Settings) -> Line | None:
    """Fetch the beginning of a model's weights, keep nothing, and time it.

    Args:
        entry: The model.
        settings: Where Hugging Face, or a mirror of it, answers.

    Returns:
        The line's speed; None where the Hub can't be reached, or the model isn't there.
    """
    source = next((each for each in entry.sources if isinstance(each, HuggingFace) and each.file), None)
    if source is None or settings.offline:
        return None
    url = f"{settings.hf_endpoint.rstrip('/')}/{source.repository}/resolve/main/{source.file}"
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=CONNECT_TIMEOUT_S)
    headers = {"Accept-Encoding": "identity", "Range": f"bytes=0-{SAMPLE_BYTES - 1}"}
    try:
        # trust_env: a proxy that the person has set for all programs holds for this one too.
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=True) as session,
            session.get(url, headers=headers) as response,
        ):
            return await _sample(response) if response.ok else None
    except (aiohttp.ClientError, TimeoutError, OSError):
        return None


async def _sample(response: aiohttp.ClientResponse) -> Line:
    begun, read = time.monotonic(), 0
    with anyio.move_on_after(SAMPLE_S):
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            read += len(chunk)
            if read >= SAMPLE_BYTES:
                break
    elapsed = time.monotonic() - begun
    return Line(read / elapsed, measured=True) if read >= _ENOUGH_BYTES and elapsed > 0 else Line()
