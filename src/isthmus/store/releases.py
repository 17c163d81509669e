"""What the releases of models here state of themselves: signatures, policy, evidence, approvals.

    HOME/releases/HEX.json    the statements by name, of the release whose signature has that SHA-256

They are kept as they came, and prove nothing by lying here: `isthmus.trust` checks them at each load.
"""

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path

import msgspec

from isthmus.errors import ReleaseRefused
from isthmus.store.disk import storage_errors, write_atomically

SIGNATURE = "model.sig"
"""The file that signs all others of a release, and makes a folder one."""
GATE = "gate/"
"""Where a release states how it was gated."""


def is_statement(name: str) -> bool:
    """Whether a file of a release is one that states something, by its path in the release."""
    return name == SIGNATURE or name.startswith(GATE)


def release_of(statements: Mapping[str, bytes]) -> str | None:
    """What a release is kept by: the SHA-256 of its signature; None for what is signed by nobody."""
    return hashlib.sha256(statements[SIGNATURE]).hexdigest() if SIGNATURE in statements else None


def write_statements(home: Path, release: str, statements: Mapping[str, bytes]) -> None:
    """Keep what a release states.

    Raises:
        StorageError: The store can't be written.
    """
    write_atomically(_path(home, release), msgspec.json.encode(dict(statements)))


def read_statements(home: Path, release: str) -> dict[str, bytes]:
    """What a release states.

    Raises:
        ReleaseRefused: It was lost, or can't be read.
    """
    try:
        return msgspec.json.decode(_path(home, release).read_bytes(), type=dict[str, bytes])
    except (OSError, msgspec.DecodeError) as error:
        raise ReleaseRefused(
            f"what its release states can't be read: {error}", hint="isthmus pull the release once more"
        ) from error


def forget_statements(home: Path, needed: Collection[str]) -> None:
    """Remove what the releases of no model state.

    Raises:
        StorageError: The store can't be written.
    """
    for path in (home / "releases").glob("*.json"):
        if path.stem not in needed:
            with storage_errors(path):
                path.unlink(missing_ok=True)


def _path(home: Path, release: str) -> Path:
    return home / "releases" / f"{release}.json"
