"""What the store asks of the disk: space, writes that are whole or absent, errors that say which folder."""

import errno
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from isthmus.errors import StorageError

FREE_SPACE_HINT = "free some space, or set ISTHMUS_HOME to a folder on another disk"


@contextmanager
def storage_errors(path: Path) -> Generator[None]:
    """Turn what the operating system says of ``path`` into a `StorageError`."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(f"there is no space left for {path}", hint=FREE_SPACE_HINT) from error
        reason = (error.strerror or str(error)).lower()
        raise StorageError(f"{path} can't be used: {reason}", hint=f"ls -ld {path.parent}") from error


def require_space(folder: Path, needed_bytes: int, purpose: str) -> None:
    """Refuse work that the disk can't hold, before it begins.

    Raises:
        StorageError: Fewer than ``needed_bytes`` are free; the message has both numbers.
    """
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    if free < needed_bytes:
        raise StorageError(
            f"{purpose} needs {needed_bytes:,} bytes in {folder}, and {free:,} are free", hint=FREE_SPACE_HINT
        )


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk itself: files that appeared, went or were renamed.

    Raises:
        StorageError: The folder can't be opened.
    """
    with storage_errors(folder):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_atomically(path: Path, content: bytes) -> None:
    """Replace ``path`` in one step: a reader, or a kill at any moment, finds the old bytes or the new ones.

    Raises:
        StorageError: The folder can't be written.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
