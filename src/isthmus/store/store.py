"""The models on this machine: weights by their hash, and names that point to them.

    HOME/blobs/sha256-HEX        weights; the same bytes lie there once, under however many names
    HOME/models/NAME/TAG.json    a `Manifest`; a name without a tag has the tag "latest"
    HOME/releases/HEX.json       what a model's release states of itself (`isthmus.store.releases`)
    HOME/partial/                what is still being fetched or copied, and the locks of those who do it
    HOME/store.lock              held while a blob and its manifest appear or go

A blob appears by a rename, complete and hashed, and a manifest by another, so that a kill at any moment
leaves at worst a blob that no name points to.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from isthmus.errors import DigestMismatch, ModelError, UnknownModel
from isthmus.messages import Progress
from isthmus.naming import ModelRef, closest
from isthmus.store import catalogue
from isthmus.store.disk import storage_errors
from isthmus.store.gguf import read_headers
from isthmus.store.hashing import HashedFile, stage_file
from isthmus.store.locks import exclusive, exclusive_now
from isthmus.store.manifest import Blob, FileProof, Manifest, StoredModel, blob_path
from isthmus.store.manifests import Manifests, checked_name
from isthmus.store.pieces import piece_labels, read_projector, whole_model
from isthmus.store.releases import forget_statements, release_of, write_statements


class Store:
    """The models under one folder. Processes may share it: what they do to it excludes one another."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.manifests = Manifests(home)

    # ------------------------------------------------------------ reading

    def resolve(self, ref: ModelRef) -> StoredModel | None:
        """The model that ``ref`` names, or None where it isn't here (or ``ref`` names no model of the store).

        Raises:
            ModelError: Its manifest is damaged.
        """
        manifest = self.manifests.read(ref.value) if ref.kind == "name" else None
        return self._stored(manifest) if manifest else None

    def require(self, ref: ModelRef) -> StoredModel:
        """The model that ``ref`` names.

        Raises:
            UnknownModel: It isn't here; the hint fetches it, or the one whose name is nearest.
            ModelError: Its manifest is damaged.
        """
        model = self.resolve(ref)
        if model is None:
            raise self._unknown(str(ref))
        return model

    def models(self) -> list[StoredModel]:
        """All models that are here, by name. Those with a damaged manifest are in `damaged`."""
        manifests, _ = self.manifests.scan()
        return [model for manifest in manifests if (model := self._stored(manifest))]

    def damaged(self) -> list[ModelError]:
        """What is wrong with the manifests that can't be read."""
        return list(self.manifests.scan()[1].values())

    # ------------------------------------------------------------ writing

    def add_file(
        self,
        path: Path,
        name: str,
        on_progress: Callable[[Progress], None] | None = None,
        *,
        projector: Path | None = None,
        statements: Mapping[str, bytes] | None = None,
    ) -> StoredModel:
        """Give a GGUF file a name: hash it, and link it into the store, or copy it from another file system.

        The first file of a split model brings the others, which lie beside it. A name that had other weights
        now has these. A name to which the catalogue has pinned bytes takes those only. With the file of its
        projector, a model sees. What its release states is kept with it, as `publish` says.

        Raises:
            UsageError: ``name`` can't be a model's name.
            UnknownModel: There is no such file.
            InvalidWeights: It isn't a whole GGUF, or not the first of its pieces, or a piece is missing.
            DigestMismatch: The catalogue knows other weights by that name, or a file changed meanwhile.
            StorageError: There is no room, or the store can't be written.
        """
        name = checked_name(name)
        files = whole_model(path)
        read_headers(files)
        if projector is not None:
            read_projector(projector)
            files += (projector,)
        with self.staged([file.resolve() for file in files], name, on_progress) as staged:
            weights = staged if projector is None else staged[:-1]
            entry = catalogue.find(name)
            if entry is not None and entry.digest not in (None, weights[0].digest):
                raise DigestMismatch(
                    f"{path} doesn't hold the weights that the catalogue knows as {name}",
                    hint=f"isthmus pull {path} --name my-{name}",
                )
            return self.publish(
                weights,
                projector=staged[-1] if projector else None,
                name=name,
                source=f"file:{path.resolve()}",
                licence=entry.licence if entry else None,
                description=entry.description if entry else None,
                statements=statements,
            )

    @contextmanager
    def staged(
        self, sources: Sequence[Path], name: str, on_progress: Callable[[Progress], None] | None = None
    ) -> Generator[list[HashedFile]]:
        """Files from elsewhere, linked or copied into the store and hashed, to be published while this lasts.

        Raises:
            DigestMismatch: Someone wrote to a file meanwhile.
            StorageError: A file can't be read, there is no room, or the store can't be written.
        """
        with ExitStack() as stack:
            yield [
                stack.enter_context(self._staged(source, label, on_progress))
                for source, label in zip(sources, piece_labels(name, len(sources)), strict=True)
            ]

    def publish(
        self,
        weights: Sequence[HashedFile],
        *,
        name: str,
        source: str,
        licence: str | None = None,
        description: str | None = None,
        projector: HashedFile | None = None,
        statements: Mapping[str, bytes] | None = None,
    ) -> StoredModel:
        """Move hashed weights to their places, unless they lie there already, and name them.

        Other names of the same bytes are told of their new state, so that no load hashes them once more;
        weights that lose their last name by this go.

        Args:
            weights: The model's files in order: one, or the pieces of a split model.
            name: What to call the model. A name that had other weights now has these.
            source: Where they came from: hf:..., wheel:..., file:...
            licence: The licence's name, where it is known.
            description: A line about the model, where there is one.
            projector: What makes it see, if it does.
            statements: What its release states, by name; kept with it where they are signed.

        Raises:
            UsageError: ``name`` can't be a model's name.
            DigestMismatch: A file was changed, or went, after it was hashed.
            StorageError: The store can't be written.
        """
        name = checked_name(name)
        with exclusive(self.lock):
            files = [*weights, *((projector,) if projector else ())]
            for file in files:
                _require_unchanged(file, file.path)
            proofs = {file.digest: self._place(file) for file in files}
            blobs = [Blob(file.digest, file.proof.size, proofs[file.digest]) for file in files]
            first, *rest = blobs[: len(weights)]
            release = release_of(statements or {})
            if statements and release:
                write_statements(self.home, release, statements)
            model = StoredModel(
                home=self.home,
                name=name,
                digest=first.digest,
                size_bytes=first.size_bytes,
                licence=licence,
                description=description,
                source=source,
                added=datetime.now(UTC),
                proof=first.proof,
                rest=tuple(rest),
                projector=blobs[-1] if projector else None,
                release=release,
            )
            self.manifests.write(model)
            self._renew_proofs(proofs)
            self._collect()
        return model

    def renew_proof(self, hashed: HashedFile) -> None:
        """Write down that a blob has just been hashed again, in the manifest of each name that has it.

        Nothing is written where other bytes, or a fresher copy of the same, took the blob's place meanwhile.

        Raises:
            StorageError: The store can't be written.
        """
        with exclusive(self.lock), suppress(FileNotFoundError):
            if FileProof.of(blob_path(self.home, hashed.digest).stat()) == hashed.proof:
                self._renew_proofs({hashed.digest: hashed.proof})

    def copy(self, name: str, new_name: str) -> StoredModel:
        """Give a model one more name. A name that had other weights now has these.

        Raises:
            UsageError: ``new_name`` can't be a model's name.
            UnknownModel: Nothing is here by the old name.
            DigestMismatch: The catalogue knows other weights by the new name.
            ModelError: The old name's manifest is damaged.
            StorageError: The store can't be written.
        """
        new_name = checked_name(new_name)
        with exclusive(self.lock):
            model = self.require(ModelRef("name", checked_name(name)))
            entry = catalogue.find(new_name)
            if entry is not None and entry.digest not in (None, model.digest):
                raise DigestMismatch(
                    f"{model.name} doesn't hold the weights that the catalogue knows as {new_name}",
                    hint=f"isthmus pull {new_name}",
                )
            copied = msgspec.structs.replace(model, name=new_name, added=datetime.now(UTC))
            self.manifests.write(copied)
            self._collect()
        return copied

    def remove(self, name: str) -> None:
        """Forget a name, and the weights that no other name has.

        Raises:
            UnknownModel: Nothing is here by that name.
            StorageError: The store can't be written.
        """
        with exclusive(self.lock):
            if not self.manifests.delete(name):
                raise self._unknown(name)
            self._collect()

    # ------------------------------------------------------------ places

    @property
    def partial(self) -> Path:
        """The folder of what isn't complete yet."""
        return self.home / "partial"

    @property
    def blobs(self) -> Path:
        """The folder of the weights."""
        return self.home / "blobs"

    @property
    def lock(self) -> Path:
        """Held while blobs and manifests appear or go."""
        return self.home / "store.lock"

    def lock_of(self, path: Path) -> Path:
        """Held by whoever fetches, copies or hashes a blob or part: sha256-HEX.lock for sha256-HEX.part."""
        return self.partial / f"{path.name.partition('.')[0]}.lock"

    def unnamed(self) -> list[Path]:
        """The blobs that no name points to; none while a damaged manifest can't say what it points to."""
        manifests, errors = self.manifests.scan()
        if errors:
            return []
        named = {blob_path(self.home, blob.digest) for manifest in manifests for blob in manifest.blobs}
        return sorted(set(self.blobs.glob("sha256-*")) - named)

    # ------------------------------------------------------------ the work

    @contextmanager
    def _staged(
        self, source: Path, label: str, on_progress: Callable[[Progress], None] | None
    ) -> Generator[HashedFile]:
        with storage_errors(source):
            status = source.stat()
        # One at a time for each file: linking it would disturb whoever is hashing it.
        staged = self.partial / f"add-{status.st_dev:x}-{status.st_ino:x}.gguf"
        with exclusive(self.lock_of(staged)):
            try:
                yield stage_file(source, staged, label, on_progress)
            finally:
                staged.unlink(missing_ok=True)

    def _place(self, file: HashedFile) -> FileProof:
        """Move a file to its blob; gives its proof there, as moving counts as a change of the file."""
        blob = blob_path(self.home, file.digest)
        with storage_errors(blob):
            blob.parent.mkdir(parents=True, exist_ok=True)
            if file.path != blob:
                file.path.replace(blob)
                file.path.unlink(missing_ok=True)  # of two links to the same bytes, replacing leaves both
        return _require_unchanged(file, blob)

    def _renew_proofs(self, proofs: Mapping[str, FileProof]) -> None:
        """Have each manifest say of its blobs what ``proofs`` says of those with their digests."""
        for manifest in self.manifests.scan()[0]:
            renewed = manifest.with_proofs(proofs)
            if renewed != manifest:
                self.manifests.write(renewed)

    def _collect(self) -> None:
        """Remove the blobs that nobody works with, and the releases' statements, that no name points to."""
        for blob in self.unnamed():
            with exclusive_now(self.lock_of(blob)) as free, storage_errors(blob):
                if free:
                    blob.unlink()
        manifests, errors = self.manifests.scan()
        if not errors:
            forget_statements(self.home, {each.release for each in manifests if each.release})

    def _stored(self, manifest: Manifest) -> StoredModel | None:
        """The model of a manifest; None where any of its files are missing."""
        model = StoredModel.of(manifest, self.home)
        return model if all(blob_path(self.home, blob.digest).is_file() for blob in model.blobs) else None

    def _unknown(self, name: str) -> UnknownModel:
        name = name.lower()
        if catalogue.find(name):
            return UnknownModel(f"{name} hasn't been fetched yet", hint=f"isthmus pull {name}")
        here = [model.name for model in self.models()]
        near = closest(name, [*here, *(entry.name for entry in catalogue.CATALOGUE)])
        if near is None:
            return UnknownModel(f"there is no model named {name}", hint="isthmus list")
        return UnknownModel(
            f"there is no model named {name}; the nearest is {near}",
            hint=f"isthmus show {near}" if near in here else f"isthmus pull {near}",
        )


def _require_unchanged(file: HashedFile, path: Path) -> FileProof:
    """The proof of ``path``, where the bytes that were hashed must be.

    Raises:
        DigestMismatch: Others are, or none.
    """
    with storage_errors(path):
        try:
            proof = FileProof.of(path.stat())
        except FileNotFoundError:
            proof = None
    if proof is None or not proof.same_content(file.proof):
        what = "went" if proof is None else "was changed"
        raise DigestMismatch(f"{path} {what} after it was hashed", hint="try again")
    return proof
