"""Looking after a store: every byte hashed once more, and what no name needs any longer removed."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Literal, TypeAlias

from msgspec import Struct

from isthmus.errors import ModelError, StorageError
from isthmus.messages import Progress
from isthmus.naming import ModelRef
from isthmus.store.disk import storage_errors
from isthmus.store.hashing import hash_file, reporter
from isthmus.store.locks import exclusive, exclusive_now
from isthmus.store.manifest import Blob, Manifest, StoredModel, blob_path
from isthmus.store.pieces import piece_labels
from isthmus.store.store import Store

OnProgress: TypeAlias = Callable[[Progress], None]
LeftoverKind: TypeAlias = Literal["weights", "partial", "manifest"]


class Finding(Struct, frozen=True):
    """What is wrong with a model, and what to type to put it right."""

    name: str
    text: str
    hint: str | None


class Leftover(Struct, frozen=True):
    """Something that no name needs.

    ``kind`` is weights without a name, a fetch or copy that was cut short, or a manifest that was never
    finished. ``freed_bytes`` is what the disk gains without it: nothing, while another link has the bytes.
    """

    kind: LeftoverKind
    path: Path
    freed_bytes: int


class Report(Struct, frozen=True, kw_only=True):
    """What a check found: models without fault, ``damage``, and leftovers, which harm nothing.

    ``checked_bytes`` counts what was hashed; bytes under several names are hashed once.
    """

    whole: tuple[str, ...]
    damage: tuple[Finding, ...]
    leftovers: tuple[Leftover, ...]
    checked_bytes: int


class Collection(Struct, frozen=True, kw_only=True):
    """What a collection removed, or would. ``kept`` is why weights without a name stay, where they must."""

    removed: tuple[Leftover, ...]
    freed_bytes: int
    kept: Finding | None = None


# ---------------------------------------------------------------- check


def check(store: Store, refs: Sequence[ModelRef] = (), *, on_progress: OnProgress | None = None) -> Report:
    """Hash models' weights in full, and compare. Others may use the store meanwhile, and change it.

    Args:
        store: The store.
        refs: Names of models; none means all of them, and what no name needs.
        on_progress: Told of the bytes hashed; may raise to end the work, which leaves nothing behind.

    Raises:
        UnknownModel: Nothing is here by one of those names.
    """
    manifests, damaged = _named(store, refs) if refs else store.manifests.scan()
    damage = [Finding(name, error.message, error.hint) for name, error in damaged.items()]
    work = _Check(store, on_progress)
    whole: list[str] = []
    for manifest in manifests:
        try:
            whole += [manifest.name] if work.is_whole(manifest) else []
        except ModelError as error:
            damage.append(Finding(manifest.name, error.message, error.hint))
    return Report(
        whole=tuple(whole),
        damage=tuple(damage),
        leftovers=() if refs else _find_leftovers(store),
        checked_bytes=work.checked_bytes,
    )


def _named(store: Store, refs: Sequence[ModelRef]) -> tuple[list[Manifest], dict[str, ModelError]]:
    """As `Manifests.scan`, of some names."""
    manifests: list[Manifest] = []
    damaged: dict[str, ModelError] = {}
    for ref in refs:
        try:
            manifest = store.manifests.read(ref.value) if ref.kind == "name" else None
        except ModelError as error:
            damaged[ref.value] = error
        else:
            manifests.append(manifest or store.require(ref))
    return manifests, damaged


class _Check:
    """A check under way: it remembers which bytes it has hashed."""

    def __init__(self, store: Store, on_progress: OnProgress | None) -> None:
        self.checked_bytes = 0
        self._store = store
        self._on_progress = on_progress
        self._whole: set[str] = set()

    def is_whole(self, manifest: Manifest) -> bool:
        """True: all bytes are those with the model's digests. False: its name went meanwhile.

        Raises:
            ModelError: They are others, or missing, or can't be read.
        """
        labels = piece_labels(manifest.name, len(manifest.blobs))
        for blob, label in zip(manifest.blobs, labels, strict=True):
            try:
                self._check(manifest, blob, label)
            except ModelError:
                # Perhaps other weights have just come under the name, or fresh ones into the blob's place.
                now = self._store.manifests.read(manifest.name)
                if now is None:
                    return False
                if blob in now.blobs:
                    raise
                return self.is_whole(now)
        return True

    def _check(self, manifest: Manifest, blob: Blob, label: str) -> None:
        if blob.digest in self._whole:
            return
        model = StoredModel.of(manifest, self._store.home)
        path = blob_path(self._store.home, blob.digest)
        if not path.is_file():
            raise ModelError(f"weights of {model.name} are missing ({path})", hint=model.pull_command)
        try:
            hashed = hash_file(path, reporter(self._on_progress, f"checking {label}", blob.size_bytes))
        except StorageError as error:
            raise ModelError(f"weights of {model.name} can't be read: {error}", hint=error.hint) from error
        if hashed.digest != blob.digest:
            raise model.changed(f"their hash is {hashed.digest[:12]}..., not {blob.digest[:12]}...")
        self._whole.add(blob.digest)
        self.checked_bytes += hashed.proof.size
        if hashed.proof != blob.proof:
            with suppress(StorageError):  # a store that can't be written can be checked all the same
                self._store.renew_proof(hashed)


# ---------------------------------------------------------------- collection


def collect(store: Store, *, dry_run: bool = False) -> Collection:
    """Remove what no name needs: weights without a name, and whatever was cut short and nobody goes on with.

    What another process works with at this moment stays. A fetch that is cut short goes on where it was, so
    removing its beginning costs fetching that once more.

    Args:
        store: The store.
        dry_run: Only say what would go.

    Raises:
        StorageError: The store can't be written.
    """
    with exclusive(store.lock):
        removed = [leftover for leftover in _leftovers(store) if dry_run or _remove(store, leftover)]
        damaged = store.manifests.scan()[1]
    kept = next((Finding(name, error.message, error.hint) for name, error in damaged.items()), None)
    return Collection(
        removed=tuple(removed), freed_bytes=sum(each.freed_bytes for each in removed), kept=kept
    )


def _find_leftovers(store: Store) -> tuple[Leftover, ...]:
    """What a collection would remove; nothing in a store that can't be written, and so not be collected."""
    try:
        return collect(store, dry_run=True).removed
    except StorageError:
        return ()


def _leftovers(store: Store) -> Iterator[Leftover]:
    """All that no name needs and nobody works with; the store's lock is held."""
    candidates: list[tuple[LeftoverKind, Path]] = [
        *(("manifest", path) for path in store.manifests.unfinished()),
        *(("weights", path) for path in store.unnamed()),
        *(("partial", path) for path in sorted(store.partial.glob("*")) if path.suffix != ".lock"),
    ]
    for kind, path in candidates:
        with _unused(store, kind, path) as unused:
            pass
        if unused:
            with suppress(FileNotFoundError):
                yield Leftover(kind, path, _freed_bytes(path))


def _remove(store: Store, leftover: Leftover) -> bool:
    """Remove a leftover, unless somebody has just begun to work with it; the store's lock is held."""
    path = leftover.path
    with _unused(store, leftover.kind, path) as unused, storage_errors(path):
        if unused and _is_folder(path):
            shutil.rmtree(path)
        elif unused:
            path.unlink(missing_ok=True)
    return unused


def _unused(store: Store, kind: LeftoverKind, path: Path) -> AbstractContextManager[bool]:
    """Whether nobody works with it; and then nobody can begin to, while this lasts."""
    # Manifests are written under the store's lock.
    return nullcontext(True) if kind == "manifest" else exclusive_now(store.lock_of(path))


def _freed_bytes(path: Path) -> int:
    """What the disk gains when a file, or all in a folder, is unlinked."""
    if _is_folder(path):
        return sum(_freed_bytes(each) for each in path.iterdir())
    status = path.lstat()
    if status.st_nlink > 1:
        return 0
    return min(status.st_size, status.st_blocks * 512)  # a fetch in parallel ranges leaves holes


def _is_folder(path: Path) -> bool:
    """Whether it is a folder itself: a link to one may lead anywhere."""
    return path.is_dir() and not path.is_symlink()
