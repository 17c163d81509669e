"""Pulling models: from the catalogue by name, and from wherever else a reference points.

What a pull needs (web servers, archives, sources) is imported by the first one that has something to fetch:
a question to a model that is here waits for none of it.
"""

import hashlib
from pathlib import Path

from isthmus.messages import Progress
from isthmus.settings import Secret
from isthmus.store.arrival import Admit, admit_anything
from isthmus.store.catalogue import CatalogueEntry
from isthmus.store.manifest import StoredModel
from isthmus.store.manifests import checked_name
from isthmus.store.presence import OnNotice, OnProgress, present
from isthmus.store.sources.base import Fits, SourceContext, anything_fits
from isthmus.store.store import Store


async def pull(
    entry: CatalogueEntry,
    store: Store,
    *,
    offline: bool,
    hf_endpoint: str,
    hf_token: Secret | None = None,
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
        hf_token: The person's token for it.
        on_progress: Told of bytes fetched and bytes checked; called from the event loop.
        on_notice: Told when a source fails and the next one is tried, and of waiting for another process.

    Raises:
        FetchError: Offline, or no source could be reached.
        DigestMismatch: The last source that could be reached sent other bytes than the promised ones.
        ModelError: It has no such model any more, or a file that is none.
        StorageError: There is no room, or the store can't be written.
    """
    if model := present(entry, store):
        return model
    context = SourceContext(workshop=_workshop(store, entry.name), hf_endpoint=hf_endpoint, hf_token=hf_token)
    from isthmus.store import entries

    return await entries.pull_entry(
        entry, store, context, offline=offline, on_progress=on_progress, on_notice=on_notice
    )


async def pull_reference(
    reference: str,
    store: Store,
    *,
    name: str | None = None,
    quant: str | None = None,
    fits: Fits = anything_fits,
    offline: bool,
    hf_endpoint: str,
    hf_token: Secret | None = None,
    admit: Admit = admit_anything,
    on_progress: OnProgress,
    on_notice: OnNotice,
) -> StoredModel:
    """Have the model that a reference stands for in the store.

    Safe to cancel or kill at any moment; the next pull goes on where this one was. Of two pulls of the same
    reference at once, by whichever processes, one works and the other waits for it.

    Args:
        reference: As `isthmus.naming.parse_model` gives it for a source.
        store: Where to.
        name: What to call it; by default what its source suggests, unless another model has that name.
        quant: The quantization, where the reference names none.
        fits: Which sizes can be run here: where a source has several, the choice is among these.
        offline: Forbid the network.
        hf_endpoint: Where Hugging Face, or a mirror of it, answers.
        hf_token: The person's token for it.
        admit: Looks at what comes before anything of it is named, and refuses what it must; in a thread.
        on_progress: Told of bytes fetched and bytes checked; called from the event loop.
        on_notice: Told which of several models was chosen, and of waiting for another process.

    Raises:
        UsageError: The reference or the name is malformed, or the name is taken.
        UnknownModel: The source has no such model; those on offer are named.
        DoesNotFit: The source has several models, and none fits.
        FetchError: Offline, or it can't be reached, or refuses.
        InvalidWeights: What it sent is no model.
        DigestMismatch: It sent other bytes than it promised, or than the catalogue knows by that name.
        ReleaseRefused: It isn't proven as it must be.
        SignatureInvalid: A signature isn't by whom it should be.
        StorageError: There is no room, or the store can't be written.
    """
    context = SourceContext(
        workshop=_workshop(store, reference),
        hf_endpoint=hf_endpoint,
        hf_token=hf_token,
        quant=quant,
        fits=fits,
        on_bytes=lambda done: on_progress(Progress(f"fetching {reference}", done)),
    )
    name = checked_name(name) if name else None
    from isthmus.store import references

    return await references.pull_found(
        reference,
        store,
        context,
        name=name,
        offline=offline,
        admit=admit,
        on_progress=on_progress,
        on_notice=on_notice,
    )


def _workshop(store: Store, what: str) -> Path:
    """A folder for what a pull must unpack, of its own name and its own lock."""
    return store.partial / f"work-{hashlib.sha256(what.encode()).hexdigest()}"
