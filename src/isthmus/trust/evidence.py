"""The evidence: a log of signed records, each with the hash of the one before it.

One record is one line of JSON: what happened, when, by whose key, why, and to which digests. The exact bytes
of a record are hashed and signed as they stand, so nothing depends on how a library writes JSON, and people
can read the file. All hashes together have a Merkle root (RFC 6962), which is what reviewers sign.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self, TypeAlias

import msgspec
from msgspec import Meta, Raw, Struct

from isthmus.errors import EvidenceBroken
from isthmus.signing import PublicKey, Signature, SigningKey, pae
from isthmus.signing.statement import to_json

RECORD_TYPE = "application/vnd.isthmus.gate-record.v1+json"
BEGINNING = "0" * 64
"""What the first record has in place of the hash before it."""

Kind: TypeAlias = Literal[
    "sealed", "run", "verdict", "review", "approved", "refused", "held", "resumed", "scheduled", "published",
    "advised", "withdrawn",
]  # fmt: skip


class Record(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that happened to a release.

    Attributes:
        number: Its place in the log, from 1.
        at: When, by the clock of whoever recorded it.
        who: The id of the key that signed it.
        why: In that person's words.
        digests: The SHA-256 of each thing it is about.
        data: What else belongs to its kind.
        previous: The hash of the record before it.
    """

    number: int
    kind: Kind
    at: Annotated[datetime, Meta(tz=True)]
    who: str
    why: str
    digests: dict[str, str]
    data: dict[str, Any]
    previous: str


class _Line(Struct, frozen=True, forbid_unknown_fields=True):
    record: Raw
    hash: str
    signature: bytes


class Link(Struct, frozen=True):
    """A record, its hash, and the signature over it."""

    record: Record
    hash: str
    line: bytes


class Evidence(Struct, frozen=True):
    """A log whose chain holds and whose signatures are by known keys."""

    links: tuple[Link, ...] = ()

    @classmethod
    def read(cls, content: bytes, keys: Iterable[PublicKey]) -> Self:
        """A log's file.

        Raises:
            EvidenceBroken: A record was changed, removed, moved or slipped in, its time is before that of
                the one before it, or it is signed by none of the keys.
        """
        known = {key.id: key for key in keys}
        links: list[Link] = []
        for number, line in enumerate(content.splitlines(), 1):
            links.append(_read(line, number, links[-1] if links else None, known))
        return cls(tuple(links))

    @property
    def records(self) -> tuple[Record, ...]:
        """The records in order."""
        return tuple(link.record for link in self.links)

    @property
    def head(self) -> str:
        """The hash of the last record."""
        return self.links[-1].hash if self.links else BEGINNING

    def root(self, count: int | None = None) -> str:
        """The Merkle root of the first ``count`` records; of all by default."""
        return merkle_root([bytes.fromhex(link.hash) for link in self.links[:count]])

    def also(
        self,
        kind: Kind,
        key: SigningKey,
        at: datetime,
        *,
        why: str = "",
        digests: Mapping[str, str] | None = None,
        data: Any = None,
    ) -> Self:
        """The log with one record more, signed by the key.

        Raises:
            EvidenceBroken: The time is before that of the last record: the clock was set back.
        """
        record = Record(
            number=len(self.links) + 1,
            kind=kind,
            at=at,
            who=key.public.id,
            why=why,
            digests=dict(digests or {}),
            data=msgspec.to_builtins(data or {}),
            previous=self.head,
        )
        _require_later(record, self.links[-1] if self.links else None)
        body = to_json(record)
        signature = Signature.by(key, RECORD_TYPE, body)
        line = to_json(_Line(Raw(body), _hash(body), signature.sig))
        return type(self)((*self.links, Link(record, _hash(body), line)))

    def to_bytes(self) -> bytes:
        """The log's file."""
        return b"".join(link.line + b"\n" for link in self.links)


def merkle_root(leaves: Sequence[bytes]) -> str:
    """The root of a Merkle tree, in hex (RFC 6962, section 2.1)."""
    return _tree(leaves).hex()


def _tree(leaves: Sequence[bytes]) -> bytes:
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + _tree(leaves[:split]) + _tree(leaves[split:])).digest()


def _read(line: bytes, number: int, before: Link | None, keys: Mapping[str, PublicKey]) -> Link:
    try:
        parsed = msgspec.json.decode(line, type=_Line)
        record = msgspec.json.decode(parsed.record, type=Record)
    except msgspec.DecodeError as error:
        raise EvidenceBroken(f"line {number} of the evidence is no record: {error}") from error
    body = bytes(parsed.record)
    if record.number != number:
        raise EvidenceBroken(f"record {record.number} of the evidence stands at place {number}")
    if parsed.hash != _hash(body):
        raise EvidenceBroken(f"record {number} of the evidence was changed")
    if record.previous != (before.hash if before else BEGINNING):
        raise EvidenceBroken(f"record {number} of the evidence doesn't follow the one before it")
    key = keys.get(record.who)
    if key is None:
        raise EvidenceBroken(f"record {number} of the evidence is by a key that nobody here has")
    if not key.verifies(parsed.signature, pae(RECORD_TYPE, body)):
        raise EvidenceBroken(f"the signature of record {number} of the evidence is not over what it says")
    _require_later(record, before)
    return Link(record, parsed.hash, line)


def _require_later(record: Record, before: Link | None) -> None:
    if before and record.at < before.record.at:
        raise EvidenceBroken(
            f"record {record.number} would be of {record.at:%Y-%m-%d %H:%M}, before the one that it follows: "
            "a clock was set back",
            hint="set the clock right",
        )


def _hash(body: bytes) -> str:
    return hashlib.sha256(pae(RECORD_TYPE, body)).hexdigest()
