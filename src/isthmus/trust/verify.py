"""From a model's name to bytes that were checked: the `VerifiedModel` is all that engines accept.

A model of the store was hashed when it was pulled. Hashing it again at each load would cost seconds, so the
file's state is compared with what was written down then, and only a difference costs a full hash. Whatever is
checked is the open file, and the engine loads from that same file: nobody can put another in its place.
"""

import os
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

from isthmus.errors import DigestMismatch, StorageError
from isthmus.messages import Progress
from isthmus.store import (
    FileProof,
    GgufHeader,
    Store,
    StoredModel,
    hash_open_file,
    open_weights,
    parse_header,
)

OnProgress = Callable[[Progress], None]


class VerifiedModel:
    """An open file of weights that was checked; use it as a context manager, or close it.

    Attributes:
        name: The model's name, or the file's where it has none.
        path: Where the file was found. Load from ``fd`` instead: the path may lead elsewhere by then.
        digest: The SHA-256 of the bytes, as hex; None for a person's own file, of which nothing is pinned.
        header: What the weights say of themselves.
    """

    def __init__(
        self, file: FileIO, *, name: str, path: Path, digest: str | None, header: GgufHeader
    ) -> None:
        self._file = file
        self.name = name
        self.path = path
        self.digest = digest
        self.header = header

    @property
    def fd(self) -> int:
        """The read-only file descriptor of exactly the file that was checked, positioned at its beginning.

        Raises:
            ValueError: The model was closed.
        """
        return self._file.fileno()

    def close(self) -> None:
        """Close the file. An engine that has opened it by its descriptor keeps what it has."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"VerifiedModel({self.name!r}, digest={self.digest!r})"


def verify(model: StoredModel | Path, *, on_progress: OnProgress | None = None) -> VerifiedModel:
    """Open a model's weights and check them.

    A stored model's bytes are those with its digest. Of a file that a person points to, nothing is pinned:
    only its header is checked, and its digest is None. Blocks for a full hash where the stored file's state
    differs from what was written down; call it from a thread where that matters.

    Args:
        model: A model of the store, or a GGUF file.
        on_progress: Told of the bytes hashed, where they are; may raise to end the work.

    Raises:
        UnknownModel: There is no such file.
        InvalidWeights: It isn't a whole GGUF.
        DigestMismatch: The stored bytes are not those that were pulled.
        ModelError: It can't be read.
    """
    path = model.path if isinstance(model, StoredModel) else model
    file = open_weights(path)
    try:
        if isinstance(model, StoredModel):
            _check_digest(model, file, on_progress)
        header = parse_header(file, path)
        file.seek(0)  # a descriptor opened through /dev/fd may share its position
    except BaseException:
        file.close()
        raise
    if isinstance(model, StoredModel):
        return VerifiedModel(file, name=model.name, path=path, digest=model.digest, header=header)
    return VerifiedModel(file, name=path.name, path=path, digest=None, header=header)


def _check_digest(model: StoredModel, file: FileIO, on_progress: OnProgress | None) -> None:
    """Make sure that the open file has the model's digest, as cheaply as its state allows."""
    proof = FileProof.of(os.fstat(file.fileno()))
    if proof == model.proof:
        return
    if proof.size != model.size_bytes:
        raise _mismatch(model, f"they have {proof.size:,} bytes, not {model.size_bytes:,}")

    def on_bytes(done: int) -> None:
        if on_progress is not None:
            on_progress(Progress(f"checking {model.name}", done, proof.size))

    hashed = hash_open_file(file, model.path, on_bytes)
    if hashed.digest != model.digest:
        raise _mismatch(model, f"their hash is {hashed.digest[:12]}..., not {model.digest[:12]}...")
    try:
        Store(model.home).renew_proof(model, hashed.proof)
    except StorageError:
        # A store that can't be written, such as one shared by a whole machine, is hashed at every load.
        return


def _mismatch(model: StoredModel, what: str) -> DigestMismatch:
    return DigestMismatch(
        f"the weights of {model.name} have been changed since they were pulled: {what}",
        hint=f"isthmus rm {model.name} && {model.pull_command}",
    )
