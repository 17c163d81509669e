"""The key that fingerprints of what stays home are made with: a file beside the database."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from isthmus.errors import LedgerError, StorageError

_KEY_BYTES = 32


def read_key(path: Path, *, create: bool) -> bytes:
    """The key in a file, for its owner's eyes alone.

    Args:
        path: The file.
        create: Whether to draw a key where there is none.

    Raises:
        LedgerError: It isn't there, though numbers that were made with it are, or it isn't a key.
        StorageError: It can't be read or written.
    """
    try:
        if create and not path.exists():
            _write_key(path)
        key = path.read_bytes()
    except FileNotFoundError as error:
        raise LedgerError(
            f"the key to what stays home is missing: {path}", hint="put it back from a copy"
        ) from error
    except OSError as error:
        raise StorageError(f"{path} can't be read or written: {error.strerror or error}") from error
    if len(key) != _KEY_BYTES:
        raise LedgerError(f"the key to what stays home is damaged: {path}", hint="put it back from a copy")
    return key


def _write_key(path: Path) -> None:
    """Write a new key, whole or not at all; of several processes that do so, the first one's stays."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(file, "wb") as writing:
            writing.write(secrets.token_bytes(_KEY_BYTES))
            writing.flush()
            os.fsync(writing.fileno())
        with suppress(FileExistsError):  # another process was first
            os.link(draft, path)
    finally:
        draft.unlink()
