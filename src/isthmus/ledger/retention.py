"""What the ledger lets go of: sealed copies after some days, and rows, for which a checkpoint is left.

The chain stays verifiable: rows go from its beginning alone, all up to one link, and the checkpoint, itself a
link, holds that link's number and hash and what the rows came to. Verifying then begins there.
"""

from datetime import datetime, timedelta

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Engine, delete, false, func, insert, select

from isthmus.errors import LedgerError
from isthmus.ledger.caps import COUNTED, bounds, total
from isthmus.ledger.chain import Facts, Link, extend, hold
from isthmus.ledger.database import reading, writing
from isthmus.ledger.money import to_nanos
from isthmus.ledger.schema import chain_head, checkpoints, labels, questions, reservations, sealed


class Retention(Struct, frozen=True):
    """How many days are kept; 0: all."""

    rows_days: float = 0.0
    sealed_days: float = 0.0


class Pruned(Struct, frozen=True):
    """What was let go of, or would be."""

    questions: int = 0
    calls: int = 0
    sealed: int = 0
    until_link: int | None = None
    """The last link that is gone; None where no row went."""


def let_go(engine: Engine, retention: Retention, now: datetime, *, dry_run: bool = False) -> Pruned:
    """Delete what is too old, overwritten on the disk.

    Rows of the current UTC month stay whatever their age, because caps count them.

    Args:
        engine: The database.
        retention: What is too old.
        now: The present.
        dry_run: Only say what would go.
    """
    with reading(engine) as connection:
        planned = _planned(connection, retention, now)
    if dry_run or planned == Pruned():
        return planned
    with writing(engine) as connection:
        head = hold(connection)
        planned = _planned(connection, retention, now)  # another process may have done it meanwhile
        connection.execute(delete(sealed).where(_old_copies(retention, now)))
        if planned.until_link is not None:
            _replace_by_checkpoint(connection, planned, planned.until_link, now, head)
    return planned


def _planned(connection: Connection, retention: Retention, now: datetime) -> Pruned:
    until = _last_to_go(connection, retention, now)
    asked = called = 0
    if until is not None:
        asked = _count(connection, questions.c.link <= until)
        called = _count(connection, reservations.c.link <= until)
    gone = asked or called
    return Pruned(asked, called, _count(connection, _old_copies(retention, now)), until if gone else None)


def _last_to_go(connection: Connection, retention: Retention, now: datetime) -> int | None:
    """The last link of those that may go: all before the first that is young enough to stay."""
    if retention.rows_days <= 0:
        return None
    oldest = min(now - timedelta(days=retention.rows_days), bounds("month", now)[0])
    until = connection.scalar(select(chain_head.c.link)) or 0
    for link, time in ((questions.c.link, questions.c.at), (reservations.c.link, reservations.c.reserved_at)):
        first_kept = connection.scalar(select(func.min(link)).where(time >= oldest))
        if first_kept is not None:
            until = min(until, first_kept - 1)
    # A reservation and its settlement go together: one that was settled late keeps what follows it.
    while True:
        torn = (reservations.c.link <= until) & (reservations.c.settled_link > until)
        first_torn = connection.scalar(select(func.min(reservations.c.link)).where(torn))
        if first_torn is None:
            return until
        until = first_torn - 1


def _replace_by_checkpoint(
    connection: Connection, planned: Pruned, until: int, now: datetime, head: Link
) -> None:
    spent = total(connection, COUNTED, reservations.c.link <= until)
    facts: Facts = {
        "at": now,
        "until_link": until,
        "until_hash": _hash_at(connection, until),
        "questions": planned.questions,
        "calls": planned.calls,
        "spent_nanousd": to_nanos(spent),
    }
    (link,) = extend(connection, "checkpoint", [facts], head)
    gone = select(questions.c.id).where(questions.c.link <= until)
    connection.execute(delete(labels).where(labels.c.question_id.in_(gone)))
    connection.execute(delete(sealed).where(sealed.c.question_id.in_(gone)))
    for table in (questions, reservations, checkpoints):
        connection.execute(delete(table).where(table.c.link <= until))
    values = {**facts, **link._asdict(), "spent_usd": spent}
    del values["spent_nanousd"]
    connection.execute(insert(checkpoints), values)


def _hash_at(connection: Connection, number: int) -> str:
    for link, hash_ in (
        (questions.c.link, questions.c.hash),
        (reservations.c.link, reservations.c.hash),
        (reservations.c.settled_link, reservations.c.settled_hash),
        (checkpoints.c.link, checkpoints.c.hash),
    ):
        found = connection.scalar(select(hash_).where(link == number))
        if found is not None:
            return found
    raise LedgerError(f"link {number} of the ledger's chain is missing", hint="isthmus handoff verify")


def _old_copies(retention: Retention, now: datetime) -> ColumnElement[bool]:
    days = retention.sealed_days
    return sealed.c.at < now - timedelta(days=days) if days > 0 else false()


def _count(connection: Connection, where: ColumnElement[bool]) -> int:
    return connection.scalar(select(func.count()).where(where)) or 0
