"""What ran, what it cost, what left; and money that is put aside before it's spent.

A hosted call costs in three steps: `Ledger.reserve` puts its worst case aside if that fits under every cap,
the call is made, `Ledger.settle` replaces the worst case by what it did cost. A crash between the two leaves
the reservation, which goes on counting as spent: nobody knows that it wasn't.
"""

import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Engine, and_, func, insert, select, true, update
from sqlalchemy.exc import IntegrityError

from isthmus.errors import IsthmusError, LedgerError, NotFound, UsageError
from isthmus.ledger import sealing
from isthmus.ledger.caps import bounds, refuse_past_caps, spent, total
from isthmus.ledger.chain import Facts, extend, hold
from isthmus.ledger.clock import Clock, checked_time, utc_now
from isthmus.ledger.database import reading, writing
from isthmus.ledger.journal import Journal
from isthmus.ledger.money import checked_usd, show_usd, to_nanos
from isthmus.ledger.records import (
    Call,
    ChainedQuestion,
    Period,
    QuestionRecord,
    Reservation,
    ReservationRequest,
    Summary,
)
from isthmus.ledger.retention import Retention, let_go
from isthmus.ledger.rows import CHAINED_FIELDS, FIELDS, chained_of, facts_of, record_of
from isthmus.ledger.schema import questions, reservations
from isthmus.ledger.selection import Selection
from isthmus.messages import Usage

_COUNTS = (
    func.count().label("count"),
    func.count().filter(questions.c.target == "local").label("kept"),
    func.count().filter(questions.c.target == "hosted").label("handed_over"),
    func.count().filter(questions.c.target == "refuse").label("refused"),
)
_TOKENS = tuple(func.coalesce(func.sum(questions.c[name]), 0).label(name) for name in Usage.__struct_fields__)

_CALL = tuple(reservations.c[name].label(name) for name in Call.__struct_fields__)

_BEGINNING = datetime.min.replace(tzinfo=UTC)
_EVERYTHING = Selection()
_BATCH = 1000
_LET_GO_EVERY = timedelta(hours=6)

_log = logging.getLogger(__name__)


class Entry(Struct, frozen=True):
    """A question's row on its way, with the bodies that left for it where copies of them are kept."""

    row: QuestionRecord
    sent: tuple[bytes, ...] = ()

    @property
    def id(self) -> str:
        """The question's."""
        return self.row.id


class Ledger:
    """The questions and the money of one database.

    Methods block for about a millisecond, longer while another process writes: from async code, call them
    in a thread. One `Ledger` serves any number of threads.

    Args:
        engine: What `open_database` gave.
        now: The clock, by which days and months (UTC) begin.
        sealer: Seals copies of what left; without it none are kept.
        retention: How long rows and copies are kept.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        now: Clock = utc_now,
        sealer: sealing.Sealer | None = None,
        retention: Retention | None = None,
    ) -> None:
        self._engine = engine
        self._now = now
        self._sealer = sealer
        self._retention = retention
        self._let_go_at: datetime | None = None
        self._journal = Journal(self._write)

    @property
    def engine(self) -> Engine:
        """The database, for what is kept beside it."""
        return self._engine

    # ------------------------------------------------------------ questions

    def add(self, row: QuestionRecord, sent: Sequence[bytes] = ()) -> None:
        """Have a question's row written within moments; `questions` and all sums wait for it.

        It doesn't block: async code may call it as it is.

        Args:
            row: The question.
            sent: The exact bytes that left for it, call by call; kept only if there is a sealer.
        """
        self._journal.add(Entry(row, tuple(sent) if self._sealer else ()))

    def record(self, rows: Sequence[QuestionRecord]) -> None:
        """Write some questions' rows, all or none; their numbers grow and are never used twice.

        Raises:
            LedgerError: A question is recorded already, or the database fails.
            StorageError: The disk is full or can't be written.
        """
        self._write([Entry(row) for row in rows])

    def _write(self, entries: Sequence[Entry]) -> None:
        values: list[dict[str, Any]] = [msgspec.structs.asdict(entry.row) for entry in entries]
        facts = [facts_of(each) for each in values]
        with writing(self._engine) as connection:
            for row, link in zip(
                values, extend(connection, "question", facts, hold(connection)), strict=True
            ):
                row.update(link._asdict())
            try:
                connection.execute(insert(questions), values)
            except IntegrityError as error:
                names = ", ".join(entry.id for entry in entries[:3])
                raise LedgerError(f"question {names} can't be recorded: {error.orig}") from error
            if self._sealer is not None:
                for entry in entries:
                    sealing.keep(connection, self._sealer, entry.id, entry.row.at, entry.sent)
        self._let_go_sometimes()

    def _let_go_sometimes(self) -> None:
        if self._retention is None:
            return
        now = self._now()
        if self._let_go_at is None or now - self._let_go_at >= _LET_GO_EVERY:
            self._let_go_at = now
            try:
                let_go(self._engine, self._retention, now)
            except IsthmusError as error:  # what was to be written is
                _log.warning("what is too old for the ledger could not be let go of: %s", error)

    def close(self) -> None:
        """Write the rows that are on their way.

        Raises:
            LedgerError: Some could not be written.
            StorageError: The same, because of the disk.
        """
        self._journal.close()

    def questions(self, limit: int, selection: Selection = _EVERYTHING) -> list[QuestionRecord]:
        """The newest rows, newest first.

        Args:
            limit: How many at most.
            selection: Only these.
        """
        if limit < 1:
            raise UsageError(f"a limit of {limit} rows shows none", hint="--limit 20")
        self._journal.flush()
        newest = select(*FIELDS).where(selection.where).limit(limit)
        newest = newest.order_by(questions.c.at.desc(), questions.c.seq.desc())
        with reading(self._engine) as connection:
            return [record_of(row) for row in connection.execute(newest).mappings()]

    def each(self, selection: Selection = _EVERYTHING) -> Iterator[ChainedQuestion]:
        """All rows in the order of their numbers, however many there are, read a batch at a time."""
        self._journal.flush()
        rows = select(questions.c.seq, *CHAINED_FIELDS).where(selection.where)
        rows = rows.order_by(questions.c.seq).limit(_BATCH)
        last = 0
        while True:
            with reading(self._engine) as connection:
                batch = connection.execute(rows.where(questions.c.seq > last)).mappings().all()
            yield from map(chained_of, batch)
            if len(batch) < _BATCH:
                return
            last = batch[-1]["seq"]

    def find(self, id_: str) -> ChainedQuestion:
        """The question whose id is this, or begins so and is the only one.

        Raises:
            NotFound: There is none, or more than one.
        """
        self._journal.flush()
        # Ids are compared by how they begin without LIKE, in which % and _ would mean something else.
        begins = func.substr(questions.c.id, 1, len(id_)) == id_
        shortest = select(*CHAINED_FIELDS).where(begins).order_by(func.length(questions.c.id)).limit(2)
        with reading(self._engine) as connection:
            rows = connection.execute(shortest).mappings().all()
        if not id_ or not rows:
            raise NotFound(f"no question is named {id_!r}", hint="isthmus handoff ledger")
        if len(rows) > 1 and rows[0]["id"] != id_:
            raise NotFound(f"several questions' ids begin with {id_!r}", hint="give more of it")
        return chained_of(rows[0])

    def calls(self, question_id: str) -> list[Call]:
        """The hosted calls of a question, in the order in which money was put aside for them."""
        mine = select(*_CALL).where(reservations.c.question_id == question_id).order_by(reservations.c.id)
        with reading(self._engine) as connection:
            return [Call(**row) for row in connection.execute(mine).mappings()]

    def summary(self, selection: Selection = _EVERYTHING) -> Summary:
        """What the questions come to, and the reservations of that time whose end is unknown."""
        self._journal.flush()
        since = selection.since or _BEGINNING
        pending = reservations.c.settled_usd.is_(None) & (reservations.c.reserved_at >= since)
        recent = selection.where
        with reading(self._engine) as connection:
            counts = connection.execute(select(*_COUNTS).where(recent)).mappings().one()
            sums = connection.execute(select(*_TOKENS).where(recent)).mappings().one()
            return Summary(
                **counts,
                spent_usd=total(connection, questions.c.cost_usd, recent),
                unsettled_usd=total(connection, reservations.c.reserved_usd, pending),
                usage=Usage(*(int(each) for each in sums.values())),  # PostgreSQL's sums come as Decimal
            )

    # ------------------------------------------------------------ money

    def reserve(self, request: ReservationRequest) -> Reservation:
        """Put a hosted call's worst case aside, in one transaction, if it fits under every cap.

        Raises:
            BudgetExceeded: It doesn't fit; the message names the cap.
        """
        amount = checked_usd(request.amount_usd, "a reservation")
        # Durable, because after a power cut the provider still knows of the call.
        with writing(self._engine, durable=True) as connection:
            head = hold(connection)
            # The clock is read once the lock is held: a wait may cross midnight.
            now = checked_time(self._now(), "the clock")
            refuse_past_caps(connection, request, amount, now)
            expires_at = now + timedelta(seconds=request.lifetime_s)
            facts: Facts = {
                "question_id": request.question_id,
                "provider": request.provider,
                "key": request.key,
                "reserved_at": now,
                "expires_at": expires_at,
                "reserved_nanousd": to_nanos(amount),
            }
            (link,) = extend(connection, "reservation", [facts], head)
            added = insert(reservations).returning(reservations.c.id)
            values = {**facts, "reserved_usd": amount, **link._asdict()}
            del values["reserved_nanousd"]
            return Reservation(connection.scalars(added, values).one(), amount, now, expires_at)

    def settle(self, reservation_id: int, cost_usd: Decimal) -> None:
        """Replace a reservation's worst case by what the call did cost, even if that is more, or late.

        Saying the same twice changes nothing, so a caller that isn't sure may try again.

        Raises:
            LedgerError: There is no such reservation, or it was settled at another cost.
        """
        cost = checked_usd(cost_usd, "a call's cost")
        mine = reservations.c.id == reservation_id
        with writing(self._engine) as connection:
            head = hold(connection)
            found = connection.execute(select(reservations.c.settled_usd).where(mine)).one_or_none()
            if found is None:
                raise LedgerError(f"there is no reservation {reservation_id}")
            settled: Decimal | None = found[0]
            if settled is None:
                now = checked_time(self._now(), "the clock")
                facts: Facts = {"id": reservation_id, "settled_at": now, "settled_nanousd": to_nanos(cost)}
                (link,) = extend(connection, "settlement", [facts], head)
                values = {f"settled_{name}": value for name, value in link._asdict().items()}
                values.update(settled_usd=cost, settled_at=now)
                connection.execute(update(reservations).where(mine).values(values))
            elif settled != cost:
                raise LedgerError(
                    f"reservation {reservation_id} is settled at {show_usd(settled)}, "
                    f"so it can't be settled at {show_usd(cost)}"
                )

    def release(self, reservation_id: int) -> None:
        """Give a reservation back whole: its call never left, so it cost nothing.

        Raises:
            LedgerError: There is no such reservation, or it was settled at a cost.
        """
        self.settle(reservation_id, Decimal(0))

    def spent(
        self,
        period: Period,
        now: datetime | None = None,
        *,
        key: str | None = None,
        provider: str | None = None,
    ) -> Decimal:
        """Dollars spent or put aside in the UTC day or month of ``now``: what the caps compare.

        Args:
            period: The day or the month.
            now: A moment in it; by default this one.
            key: Only by the API key of that name.
            provider: Only at the provider of that name.
        """
        moment = checked_time(now or self._now(), "now")
        given = {"key": key, "provider": provider}
        mine = [reservations.c[name] == value for name, value in given.items() if value is not None]
        with reading(self._engine) as connection:
            return spent(connection, period, moment, and_(true(), *mine))

    def tokens_today(self, key: str) -> int:
        """Tokens, of prompts and completions, that a key's questions of this UTC day took."""
        start, _ = bounds("day", self._now())
        self._journal.flush()
        taken = func.sum(questions.c.prompt_tokens + questions.c.completion_tokens)
        with reading(self._engine) as connection:
            found = select(taken).where(questions.c.at >= start, questions.c.key == key)
            return int(connection.scalar(found) or 0)
