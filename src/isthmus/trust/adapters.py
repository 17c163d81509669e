"""Adapters beside weights: what was shown of weights says nothing once an adapter has changed them."""

from collections.abc import Iterable
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

from isthmus.errors import ReleaseRefused
from isthmus.store import hash_open_file
from isthmus.trust.folder import read_documents
from isthmus.trust.origin import Trusted, release_folder

if TYPE_CHECKING:
    from isthmus.trust.publishers import Trust


def require_proven(adapters: Iterable[tuple[FileIO, Path]], weights: Trusted, trust: "Trust") -> None:
    """Make sure that adapters are proven as the weights are that they change, and by the same publisher.

    An adapter is, if it is a file of the weights' own release, or of another one that is proven; then what it
    states lies in the folder above it, with ``model.sig``. Beside weights that prove nothing any adapter will
    do, but for one that goes by a publisher's name and isn't its own.

    Args:
        adapters: Open files, and where they were found. All of each is read.
        weights: What is known of the weights' origin.
        trust: The publishers whose releases must prove something.

    Raises:
        ReleaseRefused: One isn't proven.
        SignatureInvalid: A signature isn't by whom it should be.
        DigestMismatch: Someone wrote to one meanwhile.
        StorageError: One can't be read.
    """
    for file, path in adapters:
        digest = hash_open_file(file, path).digest
        file.seek(0)
        if weights.proof is not None and weights.proof.covers([digest]):
            continue
        found = _origin(path, digest, trust)
        if weights.proof is not None and (found.proof is None or found.publisher != weights.publisher):
            raise ReleaseRefused(
                f"the adapter {path} would change what {weights.publisher} released, and {weights.publisher} "
                "doesn't vouch for it",
                hint=f"leave it out of engine.adapters, or name one in a release of {weights.publisher}'s",
            )


def _origin(path: Path, digest: str, trust: "Trust") -> Trusted:
    folder = release_folder(path)
    documents = read_documents(folder) if folder else {}
    return trust.of_files([digest], (path.name, str(path), f"file:{path}"), documents)
