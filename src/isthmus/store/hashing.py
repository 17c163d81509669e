"""Hashing files of weights, with progress, and what to remember of a file that was hashed."""

import hashlib
import os
from collections.abc import Callable
from io import FileIO
from pathlib import Path

from msgspec import Struct

from isthmus.errors import DigestMismatch
from isthmus.messages import Progress
from isthmus.store.disk import require_space, storage_errors
from isthmus.store.manifest import FileProof

_CHUNK_BYTES = 4 << 20
_READINGS = 5


class HashedFile(Struct, frozen=True):
    """A file, its SHA-256 as hex, and the proof of its state when it was hashed."""

    path: Path
    digest: str
    proof: FileProof


def hash_open_file(file: FileIO, path: Path, on_bytes: Callable[[int], None] | None = None) -> HashedFile:
    """Hash an open file from its beginning; its position is moved.

    Args:
        file: Opened without a buffer.
        path: What the file is called.
        on_bytes: Called with the number of bytes hashed so far; may raise to end the work.

    Raises:
        DigestMismatch: Someone wrote to the file meanwhile.
        StorageError: The file can't be read.
    """
    for _ in range(_READINGS):
        with storage_errors(path):
            before = FileProof.of(os.fstat(file.fileno()))
            digest = _sha256(file, on_bytes)
            after = FileProof.of(os.fstat(file.fileno()))
        if after == before:
            return HashedFile(path, digest, before)
        if not after.same_content(before):
            break
        # Only its links or permissions seem to have changed, but nothing proves it: it is read again.
    raise DigestMismatch(f"{path} was changed while it was read", hint="try again")


def hash_file(path: Path, on_bytes: Callable[[int], None] | None = None) -> HashedFile:
    """Hash the file at ``path``, as `hash_open_file` does.

    Raises:
        DigestMismatch: Someone wrote to the file meanwhile.
        StorageError: The file can't be read.
    """
    with storage_errors(path), path.open("rb", buffering=0) as file:
        return hash_open_file(file, path, on_bytes)


def stage_file(
    source: Path, staged: Path, name: str, on_progress: Callable[[Progress], None] | None
) -> HashedFile:
    """Have the bytes of ``source`` at ``staged``, by a link where that is possible, and hash them.

    Raises:
        DigestMismatch: Someone wrote to the file meanwhile.
        StorageError: There is no room for a copy, or a folder can't be written.
    """
    size = source.stat().st_size
    with storage_errors(staged):
        staged.unlink(missing_ok=True)
        try:
            os.link(source, staged)
        except OSError:  # another file system, one without links, or someone else's file
            require_space(staged.parent, size, f"a copy of {source}")
            return _copy(source, staged, reporter(on_progress, f"copying {name}", size))
        return hash_file(staged, reporter(on_progress, f"checking {name}", size))


def reporter(
    on_progress: Callable[[Progress], None] | None, label: str, total_bytes: int
) -> Callable[[int], None] | None:
    """A callback for bytes done that tells ``on_progress``, or None where nobody listens."""
    if on_progress is None:
        return None
    return lambda done: on_progress(Progress(label, done, total_bytes))


def _copy(source: Path, staged: Path, on_bytes: Callable[[int], None] | None) -> HashedFile:
    with source.open("rb", buffering=0) as file, staged.open("w+b", buffering=0) as copy:
        digest = _sha256(file, on_bytes, copy)
        os.fsync(copy.fileno())
        return HashedFile(staged, digest, FileProof.of(os.fstat(copy.fileno())))


def _sha256(file: FileIO, on_bytes: Callable[[int], None] | None, copy: FileIO | None = None) -> str:
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(_CHUNK_BYTES))
    done = 0
    file.seek(0)
    while count := file.readinto(buffer):
        digest.update(buffer[:count])
        if copy is not None:
            _write_all(copy, buffer[:count])
        done += count
        if on_bytes is not None:
            on_bytes(done)
    return digest.hexdigest()


def _write_all(file: FileIO, content: memoryview) -> None:
    while content:
        content = content[file.write(content) :]
