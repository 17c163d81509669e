"""Fetching a file from a web server: in parallel ranges where it has them, else in one plain stream.

The first request is a scout: it asks for a range as all others do, and its answer decides. After 206 others
join, at the address to which the scout was redirected; after 200 the scout reads on alone. Bytes that came
are kept whatever happens, and what was cut off is asked for again.
"""

import re
import time
from collections import deque
from contextlib import AsyncExitStack

import aiohttp
import anyio
import anyio.abc
import anyio.to_thread
from yarl import URL

from isthmus.errors import DigestMismatch, FetchError, IsthmusError
from isthmus.store import web
from isthmus.store.part import Part
from isthmus.store.sources.base import Url
from isthmus.store.stretches import Stretch

CONNECTIONS = 6
"""How many ranges are fetched at once. A server that finds this too many gets fewer."""
STRETCH_BYTES = 16 << 20
"""How much one request asks for."""
FRUITLESS_ATTEMPTS = 5
"""How many requests in a row may be cut off before the file has grown by `FRUITFUL_BYTES`."""
FRUITFUL_BYTES = 1 << 20
RETRY_PAUSE_S = 1.0
"""The pause after a cut; it doubles with each that was fruitless, up to `LONGEST_PAUSE_S`."""
LONGEST_PAUSE_S = 8.0
COMMIT_EVERY_S = 1.0
"""How much work a kill may cost."""
CRAWL_BYTES = 16 << 10
"""A connection that brings less than this in `web.STALL_TIMEOUT_S` has stalled."""
WRITE_BYTES = 1 << 20
"""How much is written at once, unless it takes longer than `WRITE_EVERY_S` to come."""
WRITE_EVERY_S = 1.0

_EXPIRED = frozenset({401, 403, 404, 410})
"""What the signed addresses that servers redirect to answer when their time is over."""


async def download(way: Url, part: Part, *, resumable: bool) -> None:
    """Fetch what ``part`` lacks.

    Args:
        way: Where the file is.
        part: What there is of it.
        resumable: Whether something proves that every request is for the same file: its hash, or a version.
            Without, the file is fetched in one go from its beginning.

    Raises:
        FetchError: The server can't be reached, refuses, or sends something else; the message says so in
            few words.
        DigestMismatch: It sends more bytes than were promised.
        StorageError: The disk is full.
    """
    async with web.open_session() as session:
        work, patience = _Download(session, way, part, resumable), _Patience(part)
        while not part.complete:
            try:
                await work.run()
            except _CutError as cut:
                await patience.wait(cut)


class _CutError(Exception):
    """An answer ended early, or there was none; another request may bring more."""

    def __init__(self, reason: str, pause_s: float | None = None, *, busy: bool = False) -> None:
        super().__init__(reason)
        self.pause_s = pause_s
        """How long to pause, where there is a reason to know."""
        self.busy = busy
        """Whether the server has too much to do."""


class _Patience:
    """How often a line may be cut that brings nothing."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._most_bytes = part.done_bytes
        self._fruitless = 0

    async def wait(self, cut: _CutError) -> None:
        """Pause before the next attempt.

        Raises:
            FetchError: There were enough of them.
        """
        if self._part.done_bytes >= self._most_bytes + FRUITFUL_BYTES:
            self._most_bytes, self._fruitless = self._part.done_bytes, 0
        else:
            self._fruitless += 1
        if self._fruitless >= FRUITLESS_ATTEMPTS:
            raise FetchError(str(cut)) from cut
        pause_s = min(RETRY_PAUSE_S * 2**self._fruitless, LONGEST_PAUSE_S)
        await anyio.sleep(pause_s if cut.pause_s is None else cut.pause_s)


class _Download:
    """A file on its way."""

    def __init__(self, session: aiohttp.ClientSession, way: Url, part: Part, resumable: bool) -> None:
        self._session = session
        self._way = way
        self._part = part
        self._resumable = resumable
        self._redirected_to: URL | None = None
        """Where the server sends whoever asks for the file: later requests go there at once."""
        self._ranged = False
        """Whether the server sends ranges: it has sent one."""
        self._waiting: deque[Stretch] = deque()
        self._workers = 0
        self._changed = False
        self._failure: IsthmusError | _CutError | None = None
        self._commit_due = time.monotonic() + COMMIT_EVERY_S

    async def run(self) -> None:
        """Ask for all that is missing."""
        if self._resumable:
            self._waiting = deque(_cut_up(self._part.gaps()))
        else:
            self._part.discard()
            self._waiting = deque([self._whole])
        self._failure = None
        async with anyio.create_task_group() as crew:
            crew.start_soon(self._work, crew)
        if self._changed:  # only now: others may have written until a moment ago
            self._part.discard()
        if self._failure is not None:
            raise self._failure

    @property
    def _whole(self) -> Stretch:
        return Stretch(0, self._part.total)

    # ------------------------------------------------------------ workers

    async def _work(self, crew: anyio.abc.TaskGroup) -> None:
        """Fetch stretches while any are waiting; a failure ends all workers."""
        patience = _Patience(self._part)
        self._workers += 1
        try:
            while self._waiting:
                stretch = self._waiting.popleft()
                try:
                    await self._fetch(stretch, crew)
                except _CutError as cut:
                    if not self._ranged:
                        raise
                    self._waiting.extendleft(reversed(self._missing_of(stretch)))
                    if cut.busy and self._workers > 1:
                        return  # the others are enough for it
                    await patience.wait(cut)
        except (IsthmusError, _CutError) as error:
            self._failure = error
            crew.cancel_scope.cancel()
        finally:
            self._workers -= 1

    def _call_others(self, crew: anyio.abc.TaskGroup) -> None:
        for _ in range(min(CONNECTIONS - 1, len(self._waiting))):
            crew.start_soon(self._work, crew)

    def _missing_of(self, stretch: Stretch) -> list[Stretch]:
        gaps = self._part.gaps()
        return [
            Stretch(max(gap.start, stretch.start), min(gap.end, stretch.end))
            for gap in gaps
            if gap.start < stretch.end and gap.end > stretch.start
        ]

    # ------------------------------------------------------------ one request

    async def _fetch(self, stretch: Stretch, crew: anyio.abc.TaskGroup) -> None:
        """Ask for a stretch and take in what comes.

        Raises:
            _CutError: It isn't all there, and another request may bring the rest.
        """
        way, redirected = self._way, self._redirected_to is not None
        async with AsyncExitStack() as stack:
            response = await self._open(stretch, stack)
            if response.status == 401 and way.renew and not redirected:
                if self._way is way:  # and no other worker has seen to it
                    self._way = await way.renew()
                raise _CutError("its token has expired", 0.0)
            if redirected and response.status in _EXPIRED:
                self._redirected_to = None
                raise _CutError("its address has expired")
            body = self._body_of(response, stretch)
            if response.status == 206:
                self._redirected_to = response.url if response.url != web.check_address(way.url) else None
                if not self._ranged:
                    self._ranged = True
                    self._call_others(crew)
            await self._read(response, body)
        if body.end < stretch.end:
            raise _CutError("it sends less than it is asked for")

    async def _open(self, stretch: Stretch, stack: AsyncExitStack) -> aiohttp.ClientResponse:
        headers: dict[str, str] = {}
        if self._resumable:
            headers["Range"] = f"bytes={stretch.start}-{stretch.end - 1}"
            if self._way.validator:
                headers["If-Range"] = self._way.validator
        address = self._redirected_to or self._way.url
        try:
            return await stack.enter_async_context(
                web.get(self._session, address, credential=self._way.bearer, headers=headers)
            )
        except FetchError as error:
            if self._ranged:  # it could be reached before
                raise _CutError(str(error)) from error
            raise

    def _body_of(self, response: aiohttp.ClientResponse, stretch: Stretch) -> Stretch:
        """Which bytes of the file the body of an answer is."""
        if response.status == 206:
            body = _promised(response, stretch, self._part.total)
        elif response.status == 200:
            body = self._whole
            if response.content_length not in (None, body.end):
                raise FetchError(
                    f"it offers {response.content_length:,} bytes where {body.end:,} are expected"
                )
        else:
            raise self._no_body(response)
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise FetchError("it sends the file compressed, though it was asked not to")
        if self._is_another(response) or (response.status == 200 and self._ranged):
            self._changed = True
            raise FetchError("the file was changed there while it was fetched", hint="try again")
        if response.status == 200:
            self._part.discard()
            self._waiting.clear()
        return body

    def _no_body(self, response: aiohttp.ClientResponse) -> FetchError | _CutError:
        """What an answer means that holds nothing of the file."""
        status, reason = response.status, response.reason
        if (pause_s := web.retry_pause_s(status, response.headers)) is not None:
            return _CutError(str(web.refused(status, reason)), pause_s, busy=True)
        if status == 416 and self._part.done_bytes and not self._ranged:
            self._part.discard()
            return _CutError("it has fewer bytes than are here already")
        return web.refused(status, reason, self._way.denied_hint)

    def _is_another(self, response: aiohttp.ClientResponse) -> bool:
        validator = self._way.validator
        if validator is None:
            return False
        name = "ETag" if validator.startswith('"') else "Last-Modified"
        return response.headers.get(name, validator) != validator

    # ------------------------------------------------------------ the body

    async def _read(self, response: aiohttp.ClientResponse, body: Stretch) -> None:
        position, chunk = body.start, bytearray()
        written_at, crawl = time.monotonic(), _Crawl()
        try:
            async for piece in response.content.iter_any():
                chunk += piece
                if position + len(chunk) > body.end:
                    raise DigestMismatch(f"it sends more than the {body.end - body.start:,} bytes promised")
                now = time.monotonic()
                crawl.check(len(piece), now)
                if len(chunk) >= WRITE_BYTES or now - written_at >= WRITE_EVERY_S:
                    content, chunk = chunk, bytearray()
                    await anyio.to_thread.run_sync(self._write, position, content)
                    position, written_at = position + len(content), now
                    self._part.show()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _CutError(
                "it went silent" if isinstance(error, TimeoutError) else "the connection was cut"
            ) from error
        finally:
            room = body.end - position
            self._write(position, chunk[:room])
            position += len(chunk)
            self._part.show()
        if position < body.end:
            raise _CutError("the connection was cut")

    def _write(self, position: int, content: bytes | bytearray) -> None:
        self._part.write(position, content)
        now = time.monotonic()
        if now >= self._commit_due:
            self._commit_due = now + COMMIT_EVERY_S
            self._part.commit()


class _Crawl:
    """Notices a connection that never falls silent, and brings next to nothing."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._bytes = 0

    def check(self, arrived_bytes: int, now: float) -> None:
        self._bytes += arrived_bytes
        if now - self._since >= web.STALL_TIMEOUT_S:
            if self._bytes < CRAWL_BYTES:
                raise _CutError("it has slowed to a crawl")
            self._since, self._bytes = now, 0


def _cut_up(gaps: list[Stretch]) -> list[Stretch]:
    """Gaps in the sizes that requests are made for."""
    return [
        Stretch(start, min(start + STRETCH_BYTES, gap.end))
        for gap in gaps
        for start in range(gap.start, gap.end, STRETCH_BYTES)
    ]


def _promised(response: aiohttp.ClientResponse, stretch: Stretch, total: int) -> Stretch:
    """The stretch that a range's answer announces: the one asked for, or its beginning."""
    announced = response.headers.get("Content-Range", "")
    match = re.fullmatch(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", announced, re.ASCII)
    if match is None or match[3] not in (str(total), "*"):
        raise FetchError("it sends another stretch of the file than was asked for")
    body = Stretch(int(match[1]), int(match[2]) + 1)
    if body.start != stretch.start or not body.start < body.end <= stretch.end:
        raise FetchError("it sends another stretch of the file than was asked for")
    if response.content_length not in (None, body.end - body.start):
        raise FetchError("it sends another number of bytes than it announces")
    return body
