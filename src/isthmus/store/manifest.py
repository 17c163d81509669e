"""What the store writes down of each model, and the proof that its bytes are still those that were hashed."""

import os
import shlex
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Self

import msgspec
from msgspec import Meta, Struct

from isthmus.errors import DigestMismatch
from isthmus.store import catalogue

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
    """A file of a model: its SHA-256, its length, and the proof of its state when it was last hashed."""

    digest: Digest
    size_bytes: int
    proof: FileProof


class Manifest(Struct, frozen=True, kw_only=True):
    """The file ``models/NAME/TAG.json``.

    ``source`` says where the bytes came from (hf:..., wheel:..., file:...); ``proof`` is of the blob when it
    was last hashed. Of a split model, ``digest``, ``size_bytes`` and ``proof`` are of its first file, and
    ``rest`` are the others in order. ``projector`` turns images into what the model can read, where it sees.
    ``release`` is the SHA-256 of the signature that the model came with, whose statements the store keeps.
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
    projector: Blob | None = None
    release: Digest | None = None

    @property
    def blobs(self) -> tuple[Blob, ...]:
        """All files: the weights in order, then the projector."""
        return (*self.weights, *((self.projector,) if self.projector else ()))

    @property
    def weights(self) -> tuple[Blob, ...]:
        """The files of the weights, in order."""
        return (Blob(self.digest, self.size_bytes, self.proof), *self.rest)

    @property
    def total_bytes(self) -> int:
        """The length of all files together."""
        return sum(blob.size_bytes for blob in self.blobs)

    def with_proofs(self, proofs: Mapping[str, FileProof]) -> Self:
        """The same manifest, with newer proofs of those blobs whose digests are in ``proofs``."""

        def renewed(blob: Blob) -> Blob:
            return msgspec.structs.replace(blob, proof=proofs.get(blob.digest, blob.proof))

        first, *rest = map(renewed, self.weights)
        projector = renewed(self.projector) if self.projector else None
        return msgspec.structs.replace(self, proof=first.proof, rest=tuple(rest), projector=projector)


class StoredModel(Manifest, frozen=True, kw_only=True):
    """A model of the store whose weights are there; ``home`` is the store's folder."""

    home: Path

    @classmethod
    def of(cls, manifest: Manifest, home: Path) -> Self:
        """The model of a manifest that lies in the store at ``home``."""
        return cls(home=home, **{field: getattr(manifest, field) for field in Manifest.__struct_fields__})

    @property
    def path(self) -> Path:
        """The file of weights; the first one of a split model."""
        return blob_path(self.home, self.digest)

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files of the weights, in order."""
        return tuple(blob_path(self.home, blob.digest) for blob in self.weights)

    @property
    def projector_path(self) -> Path | None:
        """The file of the projector, of a model that sees."""
        return blob_path(self.home, self.projector.digest) if self.projector else None

    @property
    def pull_command(self) -> str:
        """What to type to fetch the same weights again."""
        scheme, _, where = self.source.partition(":")
        if catalogue.find(self.name):
            return f"isthmus pull {self.name}"
        if scheme == "ollama":
            return f"isthmus import-ollama {shlex.quote(where)} --name {self.name}"
        return f"isthmus pull {shlex.quote(where if scheme == 'file' else self.source)} --name {self.name}"

    def changed(self, what: str) -> DigestMismatch:
        """The error for weights that aren't those that were pulled; ``what`` shows it."""
        return DigestMismatch(
            f"the weights of {self.name} have been changed since they were pulled: {what}",
            hint=f"isthmus rm {self.name} && {self.pull_command}",
        )


def blob_path(home: Path, digest: str) -> Path:
    """Where the weights with that SHA-256 lie."""
    return home / "blobs" / f"sha256-{digest}"
