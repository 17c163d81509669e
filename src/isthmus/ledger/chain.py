"""The chain of hashes that makes a change to the ledger's past visible.

Whatever is written once is a link: a question, a reservation, its settlement, a pruning. Links are numbered
without a gap, across their tables, and each holds the hash of the one before:

    hash = "v1:" + hex(SHA-256(JSON of {"kind", "previous_hash", and the row's columns}))

The JSON has its keys sorted, no space, UTF-8; times are ISO 8601 in UTC to the microsecond, money is whole
nano-dollars, a float is what Python's ``repr`` writes, as a string, and a JSON column its stored text, as a
string. So it holds strings, whole numbers and null alone, which every JSON library writes alike. ``v1`` names
all of this: another encoding is another version, and old links keep theirs.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from hashlib import sha256
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec
from sqlalchemy import Connection, select, update

from isthmus.errors import LedgerError
from isthmus.ledger.schema import chain_head

Kind: TypeAlias = Literal["question", "reservation", "settlement", "checkpoint"]
Facts: TypeAlias = Mapping[str, Any]
"""A link's columns by their names in the database: text, whole numbers, floats, times, None; JSON as text."""

VERSION = "v1"
GENESIS = f"{VERSION}:{'0' * 64}"
"""What the first link holds in place of a hash before it."""

FACTS: Mapping[Kind, tuple[str, ...]] = {
    "question": (
        *(
            "id",
            "at",
            "source",
            "key",
            "mode",
            "target",
            "reason",
            "stage",
            "model",
            "local_model",
            "provider",
        ),
        *("prompt_tokens", "completion_tokens", "reasoning_tokens", "cached_tokens", "cost_nanousd"),
        *("first_token_s", "total_s", "outcome", "error_code"),
        *("prompt_digest", "answer_digest", "sent_digest", "sent_bytes", "evidence", "redacted", "attempts"),
    ),
    "reservation": ("question_id", "provider", "key", "reserved_at", "expires_at", "reserved_nanousd"),
    "settlement": ("id", "settled_at", "settled_nanousd"),
    "checkpoint": ("at", "until_link", "until_hash", "questions", "calls", "spent_nanousd"),
}
"""The columns that a link of each kind covers."""

_TIMES = frozenset({"at", "reserved_at", "expires_at", "settled_at"})
_FLOATS = frozenset({"first_token_s", "total_s"})
_SORTED = {kind: sorted((*names, "kind", "previous_hash")) for kind, names in FACTS.items()}

_encode = msgspec.json.Encoder().encode
_HEAD = select(chain_head.c.link, chain_head.c.hash).with_for_update()
_MOVE_HEAD = update(chain_head)


class Link(NamedTuple):
    """A row's place in the chain."""

    link: int
    previous_hash: str
    hash: str


def hash_of(kind: Kind, facts: Facts, previous_hash: str) -> str:
    """The hash of a link, under the version that this module writes."""
    return f"{VERSION}:{sha256(canonical(kind, facts, previous_hash)).hexdigest()}"


def canonical(kind: Kind, facts: Facts, previous_hash: str) -> bytes:
    """The bytes that are hashed."""
    given: dict[str, Any] = {**facts, "kind": kind, "previous_hash": previous_hash}
    said = {name: given[name] for name in _SORTED[kind]}
    for name in _TIMES & said.keys():
        if said[name] is not None:
            said[name] = said[name].astimezone(UTC).isoformat(timespec="microseconds")
    for name in _FLOATS & said.keys():
        if said[name] is not None:
            said[name] = repr(float(said[name]) + 0.0)  # SQLite knows no negative zero, and no 2 beside 2.0
    return _encode(said)


def chained(kind: Kind, all_facts: Iterable[Facts], before: Link) -> list[Link]:
    """The links of some rows, one after the other."""
    links: list[Link] = []
    for facts in all_facts:
        before = Link(before.link + 1, before.hash, hash_of(kind, facts, before.hash))
        links.append(before)
    return links


def hold(connection: Connection) -> Link:
    """The chain's last link, which nobody else can follow before this transaction ends.

    On SQLite a writing transaction holds the one write lock anyway; on PostgreSQL the head's row is the lock,
    so whoever needs a sum to stay true while it writes takes it first.

    Raises:
        LedgerError: There is none, so nothing may follow it.
    """
    head = connection.execute(_HEAD).one_or_none()
    if head is None:
        raise LedgerError("the ledger's chain has lost its head", hint="isthmus handoff verify")
    return Link(head.link, "", head.hash)


def extend(connection: Connection, kind: Kind, all_facts: Sequence[Facts], head: Link) -> list[Link]:
    """Append links to the head, which the caller holds; their rows go into the same transaction."""
    links = chained(kind, all_facts, head)
    connection.execute(_MOVE_HEAD, {"link": links[-1].link, "hash": links[-1].hash})
    return links
