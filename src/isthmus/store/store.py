"""The models on this machine: weights by their hash, and names that point to them.

    HOME/blobs/sha256-HEX        weights; the same bytes lie there once, under however many names
    HOME/models/NAME/TAG.json    a `Manifest`; a name without a tag has the tag "latest"
    HOME/partial/                what is still being fetched or copied, and the locks of those who do it
    HOME/store.lock              held while a blob and its manifest appear or go

A blob appears by a rename, complete and hashed, and a manifest by another, so that a kill at any moment
leaves at worst a blob that no name points to.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from isthmus.errors import DigestMismatch, ModelError, UnknownModel, UsageError
from isthmus.messages import Progress
from isthmus.naming import ModelRef, closest, parse_model
from isthmus.store import catalogue
from isthmus.store.disk import storage_errors, write_atomically
from isthmus.store.gguf import open_weights, parse_header
from isthmus.store.hashing import HashedFile, stage_file
from isthmus.store.locks import exclusive
from isthmus.store.manifest import FileProof, Manifest, StoredModel, blob_path

_LATEST = "latest"


class Store:
    """The models under one folder. Processes may share it: what they do to it excludes one another."""

    def __init__(self, home: Path) -> None:
        self.home = home

    # ------------------------------------------------------------ reading

    def resolve(self, ref: ModelRef) -> StoredModel | None:
        """The model that ``ref`` names, or None where it isn't here (or ``ref`` names no model of the store).

        Raises:
            ModelError: Its manifest is damaged.
        """
        if ref.kind != "name":
            return None
        return self._load(self._manifest_path(ref.value))

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
        return self._scan()[0]

    def damaged(self) -> list[ModelError]:
        """What is wrong with the manifests that can't be read."""
        return self._scan()[1]

    # ------------------------------------------------------------ writing

    def add_file(
        self, path: Path, name: str, on_progress: Callable[[Progress], None] | None = None
    ) -> StoredModel:
        """Give a GGUF file a name: hash it, and link it into the store, or copy it from another file system.

        A name that had other weights now has these. A name of the catalogue takes the catalogue's bytes only.

        Raises:
            UsageError: ``name`` can't be a model's name.
            UnknownModel: There is no such file.
            InvalidWeights: It isn't a whole GGUF.
            DigestMismatch: The catalogue knows other weights by that name, or the file changed meanwhile.
            StorageError: There is no room, or the store can't be written.
        """
        name = _checked_name(name)
        with open_weights(path) as file:
            parse_header(file, path)
        source = path.resolve()
        staged = self.partial / f"add-{name.replace(':', '@')}.gguf"
        with exclusive(staged.with_suffix(".lock")):
            try:
                hashed = stage_file(source, staged, name, on_progress)
                entry = catalogue.find(name)
                if entry is not None and entry.digest != hashed.digest:
                    raise DigestMismatch(
                        f"{path} doesn't hold the weights that the catalogue knows as {name}",
                        hint=f"isthmus pull {path} --name my-{name}",
                    )
                return self.publish(
                    hashed,
                    name=name,
                    source=f"file:{source}",
                    licence=entry.licence if entry else None,
                    description=entry.description if entry else None,
                )
            finally:
                staged.unlink(missing_ok=True)

    def publish(
        self,
        weights: HashedFile,
        *,
        name: str,
        source: str,
        licence: str | None = None,
        description: str | None = None,
    ) -> StoredModel:
        """Move hashed weights to their place, unless they lie there already, and name them.

        Raises:
            DigestMismatch: The file was changed after it was hashed.
            StorageError: The store can't be written.
        """
        blob = blob_path(self.home, weights.digest)
        with exclusive(self._lock), storage_errors(blob):
            blob.parent.mkdir(parents=True, exist_ok=True)
            weights.path.replace(blob)
            # Renaming counts as a change of the file, so the proof is taken where it will be checked.
            proof = FileProof.of(blob.stat())
            if not proof.same_content(weights.proof):
                raise DigestMismatch(f"{weights.path} was changed after it was hashed", hint="try again")
            model = StoredModel(
                home=self.home,
                name=name,
                digest=weights.digest,
                size_bytes=proof.size,
                licence=licence,
                description=description,
                source=source,
                added=datetime.now(UTC),
                proof=proof,
            )
            self._write(model)
        return model

    def renew_proof(self, model: StoredModel, proof: FileProof) -> None:
        """Write down that the blob has just been hashed again, unless the name has other weights by now.

        Raises:
            StorageError: The store can't be written.
        """
        with exclusive(self._lock):
            current = self._load(self._manifest_path(model.name))
            if current is not None and current.digest == model.digest:
                self._write(msgspec.structs.replace(current, proof=proof))

    def remove(self, name: str) -> None:
        """Forget a name, and the weights if no other name has them.

        Raises:
            UnknownModel: Nothing is here by that name.
            StorageError: The store can't be written.
        """
        with exclusive(self._lock):
            path = self._manifest_path(name)
            if not path.exists():
                raise self._unknown(name)
            with storage_errors(path):
                path.unlink()
                if not any(path.parent.iterdir()):
                    path.parent.rmdir()
                self._collect()

    # ------------------------------------------------------------ places

    @property
    def partial(self) -> Path:
        """The folder of what isn't complete yet."""
        return self.home / "partial"

    @property
    def _lock(self) -> Path:
        return self.home / "store.lock"

    def _manifest_path(self, name: str) -> Path:
        family, _, tag = _checked_name(name).partition(":")
        return self.home / "models" / family / f"{tag or _LATEST}.json"

    # ------------------------------------------------------------ manifests

    def _load(self, path: Path) -> StoredModel | None:
        """The model of a manifest; None where the manifest or its weights are missing."""
        try:
            manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            name = f"{path.parent.name}:{path.stem}"
            raise ModelError(
                f"the store's entry for {name} is damaged ({path}: {error})", hint=f"isthmus rm {name}"
            ) from error
        model = StoredModel(home=self.home, **msgspec.structs.asdict(manifest))
        return model if model.path.is_file() else None

    def _write(self, model: StoredModel) -> None:
        manifest = Manifest(**{field: getattr(model, field) for field in Manifest.__struct_fields__})
        content = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
        write_atomically(self._manifest_path(model.name), content)

    def _scan(self) -> tuple[list[StoredModel], list[ModelError]]:
        models: list[StoredModel] = []
        errors: list[ModelError] = []
        for path in sorted((self.home / "models").glob("*/*.json")):
            if path.name.startswith("."):  # a write in progress
                continue
            try:
                model = self._load(path)
            except ModelError as error:
                errors.append(error)
            else:
                models += [model] if model else []
        return models, errors

    def _collect(self) -> None:
        """Remove the blobs that no name points to; none where a manifest can't say what it points to."""
        models, errors = self._scan()
        if errors:
            return
        named = {model.path for model in models}
        for blob in (self.home / "blobs").glob("sha256-*"):
            if blob not in named:
                blob.unlink()

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


def _checked_name(name: str) -> str:
    """A name of the store as it is written; "mine:latest" is "mine".

    Raises:
        UsageError: It can't be a model's name.
    """
    try:
        ref = parse_model(name)
    except UnknownModel as error:
        raise UsageError(str(error), hint="use letters, digits, . _ and -: --name my-model:7b") from error
    if ref.kind != "name":
        raise UsageError(f"{name!r} reads as a file's path, not as a model's name", hint="--name my-model:7b")
    return ref.value.removesuffix(f":{_LATEST}")
