"""From a model's name to bytes that were checked: the `VerifiedModel` is all that engines accept.

A model of the store was hashed when it was pulled. Hashing it again at each load would cost seconds, so each
file's state is compared with what was written down then, and only a difference costs a full hash. Whatever is
checked is the open file, and the engine loads from that same file: nobody can put another in its place.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from msgspec import Struct

from isthmus.errors import DigestMismatch, StorageError
from isthmus.messages import Progress
from isthmus.store import (
    Blob,
    FileProof,
    GgufHeader,
    Store,
    StoredModel,
    blob_path,
    hash_open_file,
    open_weights,
    parse_headers,
    parse_projector,
    piece_labels,
    reporter,
    whole_model,
    with_projector,
)
from isthmus.trust.origin import Trusted

if TYPE_CHECKING:
    from isthmus.trust.publishers import Trust

OnProgress = Callable[[Progress], None]


class OpenFile(Struct, frozen=True):
    """A file that was checked, and where it was found: load it by its descriptor, not by its path."""

    file: FileIO
    path: Path


class VerifiedModel:
    """Open files of weights that were checked; use it as a context manager, or close it.

    Attributes:
        name: The model's name, or the file's where it has none.
        paths: Where the files were found, in order. Load from ``fds``: a path may lead elsewhere by then.
        digest: The SHA-256 of the (first) file, as hex; None for a person's own, of which nothing is pinned.
        size_bytes: The length of all files together.
        header: What the weights say of themselves.
        projector: What makes the model see; None if it doesn't.
        adapters: LoRA adapters to apply to it.
        origin: Whose release it is, and what that was found to prove.
    """

    def __init__(
        self,
        files: Sequence[FileIO],
        *,
        name: str,
        paths: Sequence[Path],
        digest: str | None,
        header: GgufHeader,
        projector: OpenFile | None = None,
        adapters: Sequence[OpenFile] = (),
        origin: Trusted | None = None,
    ) -> None:
        self._files = tuple(files)
        self.projector = projector
        self.adapters = tuple(adapters)
        self.origin = origin or Trusted()
        self.name = name
        self.paths = tuple(paths)
        self.digest = digest
        self.size_bytes = sum(os.fstat(file.fileno()).st_size for file in files)
        self.header = header

    @property
    def path(self) -> Path:
        """Where the file was found; the first one of a split model."""
        return self.paths[0]

    @property
    def fd(self) -> int:
        """The first of ``fds``, which is the only one unless the model is split.

        Raises:
            ValueError: The model was closed.
        """
        return self._files[0].fileno()

    @property
    def fds(self) -> tuple[int, ...]:
        """Read-only file descriptors of exactly the files that were checked, positioned at their beginnings.

        Raises:
            ValueError: The model was closed.
        """
        return tuple(file.fileno() for file in self._files)

    def close(self) -> None:
        """Close the files. An engine that has opened them by their descriptors keeps what it has."""
        for file in self._files:
            file.close()
        for each in (*self.adapters, *((self.projector,) if self.projector else ())):
            each.file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"VerifiedModel({self.name!r}, digest={self.digest!r})"


def verify(
    model: StoredModel | Path,
    *,
    adapters: Sequence[str] = (),
    trust: "Trust | None" = None,
    on_progress: OnProgress | None = None,
) -> VerifiedModel:
    """Open a model's weights and check them, and the adapters that are to be applied to them.

    A stored model's bytes are those with its digests. Of a file that a person points to, nothing is pinned
    but by its publisher: else only its header is checked, and its digest is None; the further files of a
    split one lie beside it. Blocks for a full hash where a stored file's state differs from what was written
    down; call it from a thread where that matters.

    Args:
        model: A model of the store, or a GGUF file.
        adapters: The paths of LoRA adapters, as settings name them: they are checked as weights are.
        trust: The publishers whose releases must prove something; without it none must.
        on_progress: Told of the bytes hashed, where they are; may raise to end the work.

    Raises:
        ReleaseRefused: Its publisher's releases must prove more than this one does.
        SignatureInvalid: A signature isn't by whom it should be.
        UnknownModel: There is no such file, or no such adapter.
        InvalidWeights: It isn't a whole GGUF.
        DigestMismatch: The stored bytes are not those that were pulled.
        ModelError: It can't be read.
    """
    stored = model if isinstance(model, StoredModel) else None
    paths = whole_model(model) if isinstance(model, Path) else model.paths
    projector_path = stored.projector_path if stored else None
    all_paths = (*paths, *((projector_path,) if projector_path else ()))
    with ExitStack() as opened:
        files = [opened.enter_context(open_weights(path)) for path in all_paths]
        checked = _check_digests(stored, files, on_progress) if stored else [_state(file) for file in files]
        origin = trust.of_model(model, all_paths, checked, on_progress) if trust else None
        header = parse_headers(files[: len(paths)], paths)
        projector = OpenFile(files[-1], projector_path) if projector_path else None
        applied = [_opened(adapter, opened) for adapter in adapters]
        if trust and origin and applied:
            from isthmus.trust.adapters import require_proven

            require_proven([(each.file, each.path) for each in applied], origin, trust)
        if projector is not None:
            header = with_projector(header, parse_projector(projector.file, projector.path))
        for file, path, proof in zip(files, all_paths, checked, strict=True):
            if not _state(file).same_content(proof):
                raise DigestMismatch(f"{path} was changed while it was read", hint="try again")
            file.seek(0)  # a descriptor opened through /dev/fd may share its position
        opened.pop_all()
    return VerifiedModel(
        files[: len(paths)],
        name=stored.name if stored else paths[0].name,
        paths=paths,
        digest=stored.digest if stored else None,
        header=header,
        projector=projector,
        adapters=applied,
        origin=origin,
    )


def _opened(adapter: str, opened: ExitStack) -> OpenFile:
    path = Path(adapter).expanduser().absolute()
    return OpenFile(opened.enter_context(open_weights(path)), path)


def _check_digests(
    model: StoredModel, files: Sequence[FileIO], on_progress: OnProgress | None
) -> list[FileProof]:
    """Make sure that the open files have the model's digests; gives the state in which they were found so."""
    return [
        blob.proof
        if _state(file) == blob.proof
        else _hash(model, blob, file, reporter(on_progress, f"checking {label}", blob.size_bytes))
        for blob, file, label in zip(model.blobs, files, piece_labels(model.name, len(files)), strict=True)
    ]


def _hash(model: StoredModel, blob: Blob, file: FileIO, on_bytes: Callable[[int], None] | None) -> FileProof:
    """Make sure of one file's digest by reading all of it, and write down that this was done."""
    size_bytes = _state(file).size
    if size_bytes != blob.size_bytes:
        raise model.changed(f"they have {size_bytes:,} bytes, not {blob.size_bytes:,}")
    hashed = hash_open_file(file, blob_path(model.home, blob.digest), on_bytes)
    if hashed.digest != blob.digest:
        raise model.changed(f"their hash is {hashed.digest[:12]}..., not {blob.digest[:12]}...")
    # A store that can't be written, such as one shared by a whole machine, is hashed at every load.
    with suppress(StorageError):
        Store(model.home).renew_proof(hashed)
    return hashed.proof


def _state(file: FileIO) -> FileProof:
    return FileProof.of(os.fstat(file.fileno()))
