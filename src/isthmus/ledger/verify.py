"""Walking the chain of hashes: whether the ledger is what was written, and the first place where it isn't."""

import heapq
from collections.abc import Callable, Iterator
from typing import Any, Literal, TypeAlias

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Table,
    Text,
    and_,
    cast,
    func,
    or_,
    select,
    type_coerce,
)

from isthmus.ledger.chain import FACTS, GENESIS, Facts, Kind, hash_of
from isthmus.ledger.database import reading
from isthmus.ledger.rows import JSON_COLUMNS
from isthmus.ledger.schema import Usd, chain_head, checkpoints, questions, reservations

Problem: TypeAlias = Literal["changed", "missing", "moved", "truncated", "beside", "unknown_head"]
OnProgress: TypeAlias = Callable[[int, int], None]
"""Told how many links of how many were looked at."""

_BATCH = 1000
_NAMES = {"question": "id", "reservation": "question_id", "settlement": "question_id", "checkpoint": "id"}


class Break(Struct, frozen=True):
    """The first place where the chain isn't what was written."""

    problem: Problem
    link: int | None
    kind: Kind | None
    subject: str | None
    """The question that it is about, where that is still known; of a checkpoint its number."""
    message: str


class Verification(Struct, frozen=True):
    """What a walk found."""

    links: int
    """How many were looked at."""
    head: str
    """The last link's hash. Kept elsewhere, it shows later whether all that is here now still is."""
    pruned_until: int
    """The last link that retention has let go of; 0: none."""
    broken: Break | None

    @property
    def whole(self) -> bool:
        """Whether nothing was changed, removed, moved or slipped in."""
        return self.broken is None


class _Found(Struct, frozen=True):
    """A link as it lies in the database."""

    link: int
    kind: Kind
    previous_hash: str | None
    hash: str | None
    facts: Facts
    subject: str


def verify(
    engine: Engine, *, head: str | None = None, on_progress: OnProgress = lambda _done, _all: None
) -> Verification:
    """Walk the chain up to the first break.

    What was changed, removed, moved or slipped in breaks it. Who can write the file can forge all of it, its
    head included: only a head kept elsewhere shows that, and that links were cut off at the end.

    Args:
        engine: The database.
        head: A hash that an earlier walk gave as the head, to be found in the chain.
        on_progress: Told now and then how far the walk is.
    """
    with reading(engine) as connection:
        return _Walk(connection, head, on_progress).result()


class _Walk:
    """One walk, inside one transaction."""

    def __init__(self, connection: Connection, wanted: str | None, on_progress: OnProgress) -> None:
        self._connection = connection
        self._wanted = wanted
        self._on_progress = on_progress
        # The newest link before the head: whatever is committed in between moves both.
        newest = max(connection.scalar(select(func.max(link))) or 0 for _, link, _ in _COLUMNS.values())
        row = connection.execute(select(chain_head.c.link, chain_head.c.hash)).one_or_none()
        self._head: tuple[int, str] = (newest, "") if row is None else (row.link, row.hash)
        started = select(checkpoints.c.until_link, checkpoints.c.until_hash)
        start = connection.execute(started.order_by(checkpoints.c.until_link.desc()).limit(1)).one_or_none()
        self._start: tuple[int, str] = (0, GENESIS) if start is None else (start[0], start[1])
        self._links = 0
        self._met = self._wanted in (None, self._start[1])

    def result(self) -> Verification:
        broken = self._first_break()
        return Verification(self._links, self._head[1], self._start[0], broken)

    def _first_break(self) -> Break | None:
        number, hash_ = self._start
        end = self._head[0]
        for found in _links(self._connection, number, end):
            broken = _misfit(found, number, hash_)
            if broken is not None:
                return broken
            number, hash_ = found.link, found.hash or ""
            self._links += 1
            self._met = self._met or hash_ == self._wanted
            if self._links % _BATCH == 0:
                self._on_progress(self._links, end - self._start[0])
        return self._cut(number, hash_) or self._beside() or self._unmet()

    def _cut(self, number: int, hash_: str) -> Break | None:
        if (number, hash_) == self._head:
            return None
        message = f"the chain ends at link {number}, which isn't the end that was recorded with it"
        return Break("truncated", number + 1, None, None, message)

    def _beside(self) -> Break | None:
        """A row that no walk meets, because its number is none of the chain's."""
        for kind, (table, link, _) in _COLUMNS.items():
            outside = or_(link.is_(None), link <= self._start[0], link > self._head[0])
            if kind == "settlement":
                outside = and_(reservations.c.settled_usd.is_not(None), outside)
            found = self._connection.execute(
                select(table.c[_NAMES[kind]]).where(outside).limit(1)
            ).one_or_none()
            if found is not None:
                named = str(found[0])
                return Break("beside", None, kind, named, f"a {kind} ({named}) was written beside the chain")
        return None

    def _unmet(self) -> Break | None:
        if self._met:
            return None
        why = "the ledger was cut, rewritten or replaced since"
        if self._start[0]:
            why += f", or the link was pruned (all up to {self._start[0]} are)"
        return Break("unknown_head", None, None, None, f"no link has the hash {self._wanted}: {why}")


def _misfit(found: _Found, number: int, hash_: str) -> Break | None:
    """What is wrong with a link that should follow link ``number`` with this hash."""
    what = f"link {found.link} ({found.kind} {found.subject})"
    previous = found.previous_hash or ""
    if hash_of(found.kind, found.facts, previous) != found.hash:
        return Break("changed", found.link, found.kind, found.subject, f"{what} was changed")
    if found.link != number + 1:
        gone = "is" if found.link == number + 2 else f"to {found.link - 1} are"
        message = f"link {number + 1} {gone} missing, before {what}"
        return Break("missing", number + 1, None, None, message)
    if previous != hash_:
        message = f"{what} doesn't follow the link before it: one of them was moved or replaced"
        return Break("moved", found.link, found.kind, found.subject, message)
    return None


# ---------------------------------------------------------------- reading

_COLUMNS: dict[Kind, tuple[Table, Column[int], str]] = {
    "question": (questions, questions.c.link, ""),
    "reservation": (reservations, reservations.c.link, ""),
    "settlement": (reservations, reservations.c.settled_link, "settled_"),
    "checkpoint": (checkpoints, checkpoints.c.link, ""),
}
"""Where each kind's links are: their table, the column of their number, how their columns begin."""


def _links(connection: Connection, after: int, until: int) -> Iterator[_Found]:
    """All links between two numbers, in their order, read a batch at a time."""
    streams = [_of_kind(connection, kind, after, until) for kind in _COLUMNS]
    return heapq.merge(*streams, key=lambda found: found.link)


def _of_kind(connection: Connection, kind: Kind, after: int, until: int) -> Iterator[_Found]:
    table, link, prefix = _COLUMNS[kind]
    rows = select(
        *(_as_stored(table, name) for name in FACTS[kind]),
        table.c[_NAMES[kind]].label("_subject"),
        link.label("_link"),
        table.c[f"{prefix}previous_hash"].label("_previous_hash"),
        table.c[f"{prefix}hash"].label("_hash"),
    )
    rows = rows.order_by(link).limit(_BATCH)
    while True:
        batch = connection.execute(rows.where(link > after, link <= until)).mappings().all()
        for row in batch:
            facts = {name: row[name] for name in FACTS[kind]}
            yield _Found(row["_link"], kind, row["_previous_hash"], row["_hash"], facts, str(row["_subject"]))
        if len(batch) < _BATCH:
            return
        after = batch[-1]["_link"]


def _as_stored(table: Table, name: str) -> ColumnElement[Any]:
    """A column as the chain covers it: money as whole nano-dollars, JSON as its text."""
    column = next(each for each in table.c if each.name == name)
    if isinstance(column.type, Usd):
        return type_coerce(column, BigInteger).label(name)
    return cast(column, Text).label(name) if name in JSON_COLUMNS else column.label(name)
