"""What the store writes down of each model, and the proof that its bytes are still those that were hashed."""

import os
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
"""A SHA-256 in lower-case hex: nothing else can become the name of a file."""


class FileProof(Struct, frozen=True):
    """What the file system says of a file. While none of it changes, neither have the bytes.

    The change time can't be set by a program, so a write that puts the modification time back still shows.
    """

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> "FileProof":
        """The proof that a file's status amounts to."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    def same_content(self, other: "FileProof") -> bool:
        """Whether only the file's name, links or permissions changed between the two."""
        return msgspec.structs.replace(self, ctime_ns=other.ctime_ns) == other


class Blob(Struct, frozen=True):
    """A file of weights: its SHA-256, its length, and the proof of its state when it was last hashed."""

    digest: Digest
    size_bytes: int
    proof: FileProof


class Manifest(Struct, frozen=True, kw_only=True):
    """The file ``models/NAME/TAG.json``.

    ``source`` says where the bytes came from (hf:..., wheel:..., file:...); ``proof`` is of the blob when it
    was last hashed. Of a split model, ``digest``, ``size_bytes`` and ``proof`` are of its first file, and
    ``rest`` are the others in order.
    """

    name: str
    digest: Digest
    size_bytes: int
    licence: str | None = None
    description: str | None = None
    source: str
    added: Annotated[datetime, Meta(tz=True)]
    proof: FileProof
    rest: tuple[Blob, ...] = ()


class StoredModel(Manifest, frozen=True, kw_only=True):
    """A model of the store whose weights are there; ``home`` is the store's folder."""

    home: Path

    @property
    def path(self) -> Path:
        """The file of weights."""
        return blob_path(self.home, self.digest)

    @property
    def pull_command(self) -> str:
        """What to type to fetch the same weights again."""
        scheme, _, where = self.source.partition(":")
        return f"isthmus pull {where} --name {self.name}" if scheme == "file" else f"isthmus pull {self.name}"


def blob_path(home: Path, digest: str) -> Path:
    """Where the weights with that SHA-256 lie."""
    return home / "blobs" / f"sha256-{digest}"
