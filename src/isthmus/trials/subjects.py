"""Who is measured: the very files that were sealed, the known-bad control, the public models beside it."""

import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from isthmus.errors import GateError, GateRefused
from isthmus.gate.project import Project, ServedEntry
from isthmus.gate.runs import RELEASE
from isthmus.gate.sealing import require_unchanged
from isthmus.gate.tampering.attack import Weights
from isthmus.messages import Progress
from isthmus.naming import parse_model
from isthmus.settings import Settings
from isthmus.store import Store
from isthmus.store.disk import storage_errors
from isthmus.store.hashing import hash_file
from isthmus.store.manifest import FileProof


class Served(Struct, frozen=True):
    """Weights to be measured.

    Attributes:
        weights: The files.
        digest: What they are named by: a file's SHA-256; with adapters, that of all of theirs.
        proofs: The state of each file when it was hashed. While none changes, neither have the bytes.
    """

    weights: Weights
    digest: str
    proofs: Mapping[Path, FileProof]

    def require_untouched(self) -> None:
        """Make sure that the files are still those that were hashed.

        Raises:
            GateRefused: One was changed.
        """
        for path, proof in self.proofs.items():
            if _state(path) != proof:
                raise GateRefused(
                    f"{path} was changed while it was measured, so what was found is of nobody knows what",
                    hint="the same command begins this part anew",
                )


def served_release(project: Project, on_progress: Callable[[Progress], None]) -> Served:
    """The release's own weights, once everything was hashed and found to be as it was sealed.

    Raises:
        GateRefused: Something was changed since it was sealed.
        GateError: Nobody knows which of the files to serve.
    """
    weights = _released(project)
    before = {path: _state(path) for path in project.files.rglob("*") if path.is_file()}
    digests = require_unchanged(project, on_progress)
    served = Served(weights, digests["weights"], before)
    served.require_untouched()
    return served


def served_beside(project: Project, subject: str, settings: Settings) -> Served:
    """A model that is measured beside the release.

    Raises:
        GateError: The release's file doesn't say which, or it isn't there.
    """
    entry = project.release.beside.get(subject)
    if entry is None:
        raise GateError(
            f"release.toml doesn't say which model is the {subject}",
            hint=f'[beside."{subject}"] model = "FILE"',
        )
    return hashed(_beside(project, entry, settings))


def served(project: Project, subject: str, settings: Settings, tell: Callable[[Progress], None]) -> Served:
    """Whoever goes by a subject's name.

    Raises:
        GateError: It can't be had as it should be.
    """
    return served_release(project, tell) if subject == RELEASE else served_beside(project, subject, settings)


def hashed(weights: Weights) -> Served:
    """Weights with their digest.

    Raises:
        GateError: A file isn't there.
        StorageError: One can't be read.
    """
    for path in (weights.model, *weights.adapters):
        if not path.is_file():
            raise GateError(f"there is no {path}", hint=f"ls {path.parent}")
    files = [hash_file(path) for path in (weights.model, *weights.adapters)]
    digest = files[0].digest
    if weights.adapters:
        digest = hashlib.sha256("".join(f"{each.digest}\n" for each in files).encode()).hexdigest()
    return Served(weights, digest, {each.path: each.proof for each in files})


def _released(project: Project) -> Weights:
    release, folder = project.release, project.files
    if release.model:
        model = folder / release.model
    else:
        found = sorted(folder.rglob("*.gguf"))
        if len(found) != 1:
            count = f"{len(found)} GGUF files" if found else "no GGUF file"
            raise GateError(
                f"{folder} has {count}, and one is measured", hint='model = "FILE" in release.toml'
            )
        model = found[0]
    return Weights(model, tuple(folder / each for each in release.adapters))


def _beside(project: Project, entry: ServedEntry, settings: Settings) -> Weights:
    adapters = tuple(project.folder / each for each in entry.adapters)
    file = project.folder / entry.model
    if file.is_file():
        return Weights(file, adapters)
    ref = parse_model(entry.model, settings.runners)
    if ref.kind != "name":
        raise GateError(f"there is no {file}", hint=f"ls {file.parent}")
    return Weights(Store(settings.home_path).require(ref).path, adapters)


def _state(path: Path) -> FileProof:
    with storage_errors(path):
        return FileProof.of(os.lstat(path))
