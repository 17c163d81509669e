"""Fetching a model that a person found elsewhere: ``hf:org/repo:Q4_K_M``, ``https://host/x.gguf``, ..."""

import shutil
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial

import anyio.to_thread

from isthmus.errors import DigestMismatch, FetchError, UsageError
from isthmus.messages import Notice
from isthmus.naming import name_from
from isthmus.store import catalogue
from isthmus.store.arrival import Admit, Arrival
from isthmus.store.locks import exclusive_async
from isthmus.store.manifest import StoredModel
from isthmus.store.presence import OnNotice, OnProgress, Waiting, named, pulled
from isthmus.store.releases import release_of
from isthmus.store.sources.base import Offer, SourceContext
from isthmus.store.sources.registry import open_source
from isthmus.store.statements import fetch_statements
from isthmus.store.store import Store
from isthmus.store.transfer import Transfer, require_model


async def pull_found(
    reference: str,
    store: Store,
    context: SourceContext,
    *,
    name: str | None,
    offline: bool,
    admit: Admit,
    on_progress: OnProgress,
    on_notice: OnNotice,
) -> StoredModel:
    """Fetch the model that a reference stands for; see `isthmus.store.fetch.pull_reference`."""
    source = open_source(reference.partition(":")[0])
    if offline and source.needs_network:
        return _without_network(reference, name, store)
    work = _Pull(reference, name, store, admit, on_progress, on_notice)
    async with exclusive_async(store.lock_of(context.workshop), Waiting(reference, on_notice)):
        shutil.rmtree(context.workshop, ignore_errors=True)  # what a killed process left
        try:
            return await work.take(await source.resolve(reference, context))
        except FetchError as error:
            raise FetchError(
                f"{reference} could not be fetched ({error})",
                hint=error.hint or f"check the network, then: isthmus pull {reference}",
            ) from error
        finally:
            shutil.rmtree(context.workshop, ignore_errors=True)


def _without_network(reference: str, name: str | None, store: Store) -> StoredModel:
    model = pulled(reference, store)
    if model is not None and name in (None, model.name):
        return model
    raise FetchError(f"{reference} hasn't been fetched, and offline forbids it", hint="isthmus list")


class _Pull:
    """One pull, while it runs."""

    def __init__(
        self,
        reference: str,
        name: str | None,
        store: Store,
        admit: Admit,
        on_progress: OnProgress,
        on_notice: OnNotice,
    ) -> None:
        self._admit = admit
        self._reference = reference
        self._wanted_name = name
        self._store = store
        self._on_progress = on_progress
        self._on_notice = on_notice

    async def take(self, offer: Offer) -> StoredModel:
        """Fetch what is offered, check it and give it its name."""
        name = self._wanted_name or name_from(offer.name)
        self._require_free(name, offer)
        if offer.choice:
            self._on_notice(Notice("model_chosen", offer.choice))
        statements = await fetch_statements(offer)
        if digests := _promised(offer):  # nothing is fetched that would be refused
            await self._let_in(name, offer, digests, statements)
        async with AsyncExitStack() as held:
            transfer = Transfer(
                offer, self._store, name, held, on_progress=self._on_progress, on_notice=self._on_notice
            )
            await transfer.lock()
            model = named(name, self._store)
            if model and _is_same(model, offer) and model.release == release_of(statements):
                return model
            files = await transfer.files()
            await anyio.to_thread.run_sync(require_model, files, offer)
            weights, projector = offer.apart(files)
            self._require_catalogued(name, weights[0].digest)
            if digests is None:
                await self._let_in(name, offer, tuple(file.digest for file in files), statements)
            publish = partial(
                self._store.publish,
                weights,
                projector=projector,
                name=name,
                source=offer.source,
                licence=offer.licence,
                description=offer.description,
                statements=statements,
            )
            return await anyio.to_thread.run_sync(publish)

    async def _let_in(
        self, name: str, offer: Offer, digests: tuple[str, ...], statements: Mapping[str, bytes]
    ) -> None:
        arrival = Arrival(name, offer.source, digests, statements, offer.contents)
        await anyio.to_thread.run_sync(self._admit, arrival)

    def _require_free(self, name: str, offer: Offer) -> None:
        """Take no name from another model unless the person said so, and none from the catalogue's."""
        if (digest := offer.weights[0].sha256) is not None:
            self._require_catalogued(name, digest)
        model = named(name, self._store)
        if self._wanted_name or model is None or model.source == offer.source or _is_same(model, offer):
            return
        raise UsageError(
            f"a model named {name} is here already, from {model.source}",
            hint=f"isthmus pull {self._reference} --name my-{name}",
        )

    def _require_catalogued(self, name: str, digest: str) -> None:
        entry = catalogue.find(name)
        if entry is not None and entry.digest not in (None, digest):
            raise DigestMismatch(
                f"{self._reference} doesn't hold the weights that the catalogue knows as {name}",
                hint=f"isthmus pull {self._reference} --name my-{name}",
            )


def _promised(offer: Offer) -> tuple[str, ...] | None:
    """The hashes that the files must have; None where the source doesn't know them all."""
    known = tuple(file.sha256 for file in offer.files if file.sha256)
    return known if len(known) == len(offer.files) else None


def _is_same(model: StoredModel, offer: Offer) -> bool:
    """Whether a model surely has the very bytes that are offered."""
    return [blob.digest for blob in model.blobs] == [file.sha256 for file in offer.files]
