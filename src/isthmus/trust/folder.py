"""A release in a folder: what there is to check of it, and checking all of it."""

from collections.abc import Collection
from datetime import datetime
from pathlib import Path

from isthmus.errors import ReleaseRefused
from isthmus.signing import PublicKey
from isthmus.store.disk import storage_errors
from isthmus.store.releases import is_statement
from isthmus.trust.contents import OnProgress, hash_members, list_names
from isthmus.trust.origin import SIGNATURE, Proof
from isthmus.trust.release import check

MAX_DOCUMENT_BYTES = 64 << 20
"""Larger than any log of evidence: a release can't fill the memory of who checks it."""


def check_folder(
    folder: Path, keys: Collection[PublicKey], now: datetime, on_progress: OnProgress | None = None
) -> Proof:
    """Check a release: every byte of every file, that there is no other file, and all that it states.

    Args:
        folder: With ``model.sig`` in it.
        keys: The publisher's, as pinned.
        now: Against which its time is held.
        on_progress: Told of bytes hashed.

    Raises:
        ReleaseRefused: It isn't what was released.
        SignatureInvalid: A signature isn't by whom it should be.
        DigestMismatch: Someone wrote to a file meanwhile.
        StorageError: A file can't be read.
    """
    names = list_names(folder)
    documents = read_documents(folder, names)
    check(documents, keys, now)  # signatures first: they cost nothing, and the rest may be large
    present = hash_members(folder, [name for name in names if name != SIGNATURE], on_progress)
    return check(documents, keys, now, present=present)


def read_documents(folder: Path, names: Collection[str] | None = None) -> dict[str, bytes]:
    """What a release states: its signature, and what lies under ``gate/``.

    Raises:
        ReleaseRefused: One of them is too large, or the folder holds a link.
        StorageError: One can't be read.
    """
    found: dict[str, bytes] = {}
    for name in list_names(folder) if names is None else names:
        if is_statement(name):
            with storage_errors(folder / name), (folder / name).open("rb") as file:
                found[name] = file.read(MAX_DOCUMENT_BYTES + 1)
            if len(found[name]) > MAX_DOCUMENT_BYTES:
                raise ReleaseRefused(f"{name} is larger than {MAX_DOCUMENT_BYTES:,} bytes")
    return found
