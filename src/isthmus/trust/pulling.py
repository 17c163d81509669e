"""Taking a release's model into the store, together with what the release states."""

from pathlib import Path

from isthmus.errors import DigestMismatch, UnknownModel
from isthmus.naming import name_from
from isthmus.store import Store, StoredModel
from isthmus.trust.contents import OnProgress, list_names
from isthmus.trust.folder import read_documents
from isthmus.trust.origin import Trusted
from isthmus.trust.publishers import Trust

_PROJECTOR = "mmproj"
"""How the names of projectors begin."""


def take_in(
    folder: Path,
    store: Store,
    trust: Trust,
    *,
    name: str | None = None,
    file: Path | None = None,
    on_progress: OnProgress | None = None,
) -> tuple[StoredModel, Trusted]:
    """Check a release in a folder, and have its model in the store, where each load checks it again.

    Args:
        folder: With ``model.sig`` in it.
        store: Where to.
        trust: The publishers whose releases must prove something.
        name: What to call the model; by default as its file is called.
        file: Which of its GGUF files, where it has several.
        on_progress: Told of bytes hashed.

    Raises:
        ReleaseRefused: Its publisher's releases must prove more than this one does.
        SignatureInvalid: A signature isn't by whom it should be.
        UnknownModel: It has no GGUF file, or several and none is named.
        DigestMismatch: A file was changed after it was checked.
        StorageError: There is no room, or the store can't be written.
    """
    weights = file or _only_weights(folder)
    name = name or name_from(weights.stem)
    names = (name, str(weights), f"file:{weights.resolve()}")
    origin = trust.of_folder(folder, names, on_progress)
    documents = read_documents(folder)
    model = store.add_file(weights, name, on_progress, projector=_projector(folder), statements=documents)
    if origin.proof is not None and not origin.proof.covers(blob.digest for blob in model.blobs):
        store.remove(model.name)
        raise DigestMismatch(f"{weights} was changed after it was checked", hint="try again")
    return model, origin


def _only_weights(folder: Path) -> Path:
    """The one model of a release: of a split one the first file."""
    found = [folder / name for name in list_names(folder) if name.endswith(".gguf")]
    first = [path for path in found if "-of-" not in path.stem or "-00001-of-" in path.stem]
    models = [path for path in first if not path.name.startswith(_PROJECTOR)]
    if not models:
        raise UnknownModel(f"there is no GGUF file in {folder}", hint=f"isthmus verify {folder}")
    if len(models) > 1:
        listed = ", ".join(path.name for path in models)
        raise UnknownModel(f"{folder} has several models: {listed}", hint=f"isthmus pull {models[0]}")
    return models[0]


def _projector(folder: Path) -> Path | None:
    """What makes the release's model see, if it does."""
    return next(iter(sorted(folder.glob(f"{_PROJECTOR}*.gguf"))), None)
