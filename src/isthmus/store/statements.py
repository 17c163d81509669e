"""Fetching what a model's release states of itself, beside its weights."""

import hashlib

from isthmus.errors import DigestMismatch, FetchError, ReleaseRefused
from isthmus.store import web
from isthmus.store.sources.base import Offer, OfferedFile, Url

MAX_STATEMENTS = 1_000
MAX_STATEMENT_BYTES = 64 << 20
"""Of all statements together: more than any log of evidence takes, and less than any machine's memory."""


async def fetch_statements(offer: Offer) -> dict[str, bytes]:
    """What a model's release states, by name.

    Raises:
        FetchError: A statement can't be had.
        DigestMismatch: One hasn't the bytes that were promised.
        ReleaseRefused: There are too many, or they are too large.
    """
    total = sum(file.size_bytes for file in offer.statements)
    if len(offer.statements) > MAX_STATEMENTS or total > MAX_STATEMENT_BYTES:
        raise ReleaseRefused(
            f"its release states {total:,} bytes in {len(offer.statements):,} files, more than is read"
        )
    return {
        file.label: await _fetch(file, file.way) for file in offer.statements if isinstance(file.way, Url)
    }


async def _fetch(file: OfferedFile, way: Url) -> bytes:
    answer = await web.ask(way.url, credential=way.bearer, limit_bytes=file.size_bytes)
    if answer.status != 200:
        raise web.refused(answer.status, answer.reason, way.denied_hint)
    if len(answer.body) != file.size_bytes:
        raise FetchError(f"it sends {len(answer.body):,} bytes of {file.label}, not {file.size_bytes:,}")
    if file.sha256 not in (None, hashlib.sha256(answer.body).hexdigest()):
        raise DigestMismatch(f"its {file.label} hasn't the promised hash")
    return answer.body
