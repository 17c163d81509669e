"""Fetching a model of the catalogue: from its first source that works, resumed, checked, named."""

from contextlib import AsyncExitStack
from functools import partial
from typing import TypeAlias

import anyio.to_thread

from isthmus.errors import DigestMismatch, FetchError, IsthmusError, ModelError
from isthmus.messages import Notice
from isthmus.store.catalogue import CatalogueEntry, HuggingFace, Source, Wheels
from isthmus.store.hashing import HashedFile
from isthmus.store.manifest import StoredModel
from isthmus.store.presence import OnNotice, OnProgress, present
from isthmus.store.sources.base import Offer, OfferedFile, SourceContext, Url
from isthmus.store.sources.registry import open_source
from isthmus.store.store import Store
from isthmus.store.transfer import Transfer, require_model

Failures: TypeAlias = list[tuple[Source, IsthmusError]]


async def pull_entry(
    entry: CatalogueEntry,
    store: Store,
    context: SourceContext,
    *,
    offline: bool,
    on_progress: OnProgress,
    on_notice: OnNotice,
) -> StoredModel:
    """Fetch a model of the catalogue; see `isthmus.store.fetch.pull`."""
    work = _Pull(entry, store, context, on_progress, on_notice)
    return await (work.from_blobs() if offline else work.from_sources())


class _Pull:
    """One pull, while it runs."""

    def __init__(
        self,
        entry: CatalogueEntry,
        store: Store,
        context: SourceContext,
        on_progress: OnProgress,
        on_notice: OnNotice,
    ) -> None:
        self._entry = entry
        self._store = store
        self._context = context
        self._on_progress = on_progress
        self._on_notice = on_notice

    async def from_sources(self) -> StoredModel:
        """From the first source that works."""
        failures: Failures = []
        for source in self._entry.sources:
            if failures:
                failed, error = failures[-1]
                text = f"{failed.label}: {error}; going on with {source.label}"
                self._on_notice(Notice("source_failed", text))
            try:
                return await self._take(await self._offer(source))
            except (FetchError, ModelError) as error:
                failures.append((source, error))
        raise self._failed(failures)

    async def from_blobs(self) -> StoredModel:
        """Out of the store itself, which may have the very weights under another name."""
        for source in self._entry.sources:
            if offer := self._pinned(source):
                async with AsyncExitStack() as held:
                    transfer = self._transfer(offer, held)
                    await transfer.lock()
                    if files := await transfer.blob_files():
                        return await self._publish(files, offer)
        raise FetchError(
            f"{self._entry.name} hasn't been fetched, and offline forbids it",
            hint=f"isthmus pull ./FILE.gguf --name {self._entry.name} takes it from a file",
        )

    async def _take(self, offer: Offer) -> StoredModel:
        async with AsyncExitStack() as held:
            transfer = self._transfer(offer, held)
            await transfer.lock()
            if model := present(self._entry, self._store):
                return model
            files = await transfer.files()
            if self._entry.digest is None:
                await anyio.to_thread.run_sync(require_model, files, offer)
            return await self._publish(files, offer)

    def _transfer(self, offer: Offer, held: AsyncExitStack) -> Transfer:
        return Transfer(
            offer,
            self._store,
            self._entry.name,
            held,
            on_progress=self._on_progress,
            on_notice=self._on_notice,
        )

    async def _publish(self, files: list[HashedFile], offer: Offer) -> StoredModel:
        weights, projector = offer.apart(files)
        publish = partial(
            self._store.publish,
            weights,
            projector=projector,
            name=self._entry.name,
            source=offer.source,
            licence=self._entry.licence,
            description=self._entry.description,
        )
        return await anyio.to_thread.run_sync(publish)

    # ------------------------------------------------------------ what the sources offer

    async def _offer(self, source: Source) -> Offer:
        return self._pinned(source) or await open_source("hf").resolve(str(source), self._context)

    def _pinned(self, source: Source) -> Offer | None:
        """What a source must have, as the catalogue knows it by its hash; None where it doesn't."""
        entry = self._entry
        if entry.digest is None:
            return None
        match source:
            case Wheels():
                way = source
            case HuggingFace(file=""):
                return None
            case HuggingFace():
                way = self._url(source)
        file = OfferedFile(label=entry.name, size_bytes=entry.size_bytes, way=way, sha256=entry.digest)
        return Offer(source=str(source), name=entry.name, weights=(file,))

    def _url(self, source: HuggingFace) -> Url:
        endpoint = self._context.hf_endpoint.rstrip("/")
        url = f"{endpoint}/{source.repository}/resolve/main/{source.file}"
        return Url(url=url, bearer=self._context.hf_bearer)

    def _failed(self, failures: Failures) -> IsthmusError:
        name = self._entry.name
        reasons = "; ".join(f"{source.label}: {error}" for source, error in failures)
        last = failures[-1][1]
        if isinstance(last, FetchError):
            return FetchError(
                f"{name} could not be fetched ({reasons})",
                hint=last.hint or f"check the network, then: isthmus pull {name}",
            )
        kind = DigestMismatch if isinstance(last, DigestMismatch) else ModelError
        return kind(
            f"{name} could not be fetched whole ({reasons})",
            hint=f"isthmus pull ./FILE.gguf --name {name} takes it from a file",
        )
