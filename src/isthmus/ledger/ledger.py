"""What ran, what it cost, what left; and money that is put aside before it's spent.

A hosted call costs in three steps: `Ledger.reserve` puts its worst case aside if that fits under every cap,
the call is made, `Ledger.settle` replaces the worst case by what it did cost. A crash between the two leaves
the reservation, which goes on counting as spent: nobody knows that it wasn't.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
from sqlalchemy import ColumnElement, Connection, Engine, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from isthmus.errors import BudgetExceeded, LedgerError, UsageError
from isthmus.ledger.clock import Clock, checked_time, utc_now
from isthmus.ledger.database import reading, writing
from isthmus.ledger.journal import Journal
from isthmus.ledger.money import checked_usd, show_usd
from isthmus.ledger.records import (
    Caps,
    Period,
    QuestionRecord,
    Reservation,
    ReservationRequest,
    Summary,
)
from isthmus.ledger.schema import questions, reservations
from isthmus.messages import Target, Usage

_FIELDS = tuple(questions.c[name].label(name) for name in QuestionRecord.__struct_fields__)
_COUNTS = (
    func.count().label("count"),
    func.count().filter(questions.c.target == "local").label("kept"),
    func.count().filter(questions.c.target == "hosted").label("handed_over"),
    func.count().filter(questions.c.target == "refuse").label("refused"),
)
_TOKENS = tuple(func.coalesce(func.sum(questions.c[name]), 0).label(name) for name in Usage.__struct_fields__)

# An open reservation counts in full, an expired one too; a settled one at what the call did cost.
_COUNTED = func.coalesce(reservations.c.settled_usd, reservations.c.reserved_usd)

_BEGINNING = datetime.min.replace(tzinfo=UTC)
_RAISE = "raise handoff.budget.{cap} in isthmus.toml"


class Ledger:
    """The questions and the money of one database.

    Methods block for about a millisecond, longer while another process writes: from async code, call them
    in a thread. One `Ledger` serves any number of threads.

    Args:
        engine: What `open_database` gave.
        now: The clock, by which days and months (UTC) begin.
    """

    def __init__(self, engine: Engine, *, now: Clock = utc_now) -> None:
        self._engine = engine
        self._now = now
        self._journal = Journal(self.record)

    @property
    def engine(self) -> Engine:
        """The database, for what is kept beside it."""
        return self._engine

    # ------------------------------------------------------------ questions

    def add(self, row: QuestionRecord) -> None:
        """Have a question's row written within moments; `questions` and all sums wait for it.

        It doesn't block: async code may call it as it is.
        """
        self._journal.add(row)

    def record(self, rows: Sequence[QuestionRecord]) -> None:
        """Write some questions' rows, all or none; their numbers grow and are never used twice.

        Raises:
            LedgerError: A question is recorded already, or the database fails.
            StorageError: The disk is full or can't be written.
        """
        with writing(self._engine) as connection:
            try:
                connection.execute(insert(questions), [msgspec.structs.asdict(row) for row in rows])
            except IntegrityError as error:
                names = ", ".join(row.id for row in rows[:3])
                raise LedgerError(f"question {names} can't be recorded: {error.orig}") from error

    def close(self) -> None:
        """Write the rows that are on their way.

        Raises:
            LedgerError: Some could not be written.
            StorageError: The same, because of the disk.
        """
        self._journal.close()

    def questions(
        self, limit: int, *, since: datetime | None = None, target: Target | None = None
    ) -> list[QuestionRecord]:
        """The newest rows, newest first.

        Args:
            limit: How many at most.
            since: None older than this.
            target: Only those that went there.
        """
        if limit < 1:
            raise UsageError(f"a limit of {limit} rows shows none", hint="--limit 20")
        since = checked_time(since or _BEGINNING, "since")
        self._journal.flush()
        newest = select(*_FIELDS).where(questions.c.at >= since).limit(limit)
        newest = newest.order_by(questions.c.at.desc(), questions.c.seq.desc())
        if target is not None:
            newest = newest.where(questions.c.target == target)
        with reading(self._engine) as connection:
            return [QuestionRecord(**row) for row in connection.execute(newest).mappings()]

    def summary(self, since: datetime | None = None) -> Summary:
        """What the questions come to, and the reservations whose end is unknown."""
        since = checked_time(since or _BEGINNING, "since")
        self._journal.flush()
        recent = questions.c.at >= since
        pending = reservations.c.settled_usd.is_(None) & (reservations.c.reserved_at >= since)
        with reading(self._engine) as connection:
            counts = connection.execute(select(*_COUNTS).where(recent)).mappings().one()
            tokens = connection.execute(select(*_TOKENS).where(recent)).mappings().one()
            return Summary(
                **counts,
                spent_usd=_sum(connection, questions.c.cost_usd, recent),
                unsettled_usd=_sum(connection, reservations.c.reserved_usd, pending),
                usage=Usage(**tokens),
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
            # The clock is read once the lock is held: a wait may cross midnight.
            now = checked_time(self._now(), "the clock")
            _refuse_past_caps(connection, amount, request.caps, now)
            if request.key is not None:
                _refuse_past_caps(connection, amount, request.key_caps, now, request.key)
            expires_at = now + timedelta(seconds=request.lifetime_s)
            values = {
                "question_id": request.question_id,
                "provider": request.provider,
                "key": request.key,
                "reserved_at": now,
                "expires_at": expires_at,
                "reserved_usd": amount,
            }
            added = insert(reservations).returning(reservations.c.id)
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
            found = connection.execute(select(reservations.c.settled_usd).where(mine)).one_or_none()
            if found is None:
                raise LedgerError(f"there is no reservation {reservation_id}")
            settled: Decimal | None = found[0]
            if settled is None:
                values = {"settled_usd": cost, "settled_at": checked_time(self._now(), "the clock")}
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

    def spent(self, period: Period, now: datetime | None = None, *, key: str | None = None) -> Decimal:
        """Dollars spent or put aside in the UTC day or month of ``now``: what the caps compare.

        Args:
            period: The day or the month.
            now: A moment in it; by default this one.
            key: Only by the API key of that name.
        """
        moment = checked_time(now or self._now(), "now")
        with reading(self._engine) as connection:
            return _spent(connection, period, moment, key)

    def tokens_today(self, key: str) -> int:
        """Tokens, of prompts and completions, that a key's questions of this UTC day took."""
        start, _ = _bounds("day", self._now())
        self._journal.flush()
        taken = func.sum(questions.c.prompt_tokens + questions.c.completion_tokens)
        with reading(self._engine) as connection:
            found = select(taken).where(questions.c.at >= start, questions.c.key == key)
            return int(connection.scalar(found) or 0)


# ---------------------------------------------------------------- sums and caps


def _spent(connection: Connection, period: Period, now: datetime, key: str | None = None) -> Decimal:
    start, end = _bounds(period, now)
    at = reservations.c.reserved_at
    counted = (at >= start) & (at < end)
    return _sum(connection, _COUNTED, counted if key is None else counted & (reservations.c.key == key))


def _sum(connection: Connection, amounts: ColumnElement[Decimal], where: ColumnElement[bool]) -> Decimal:
    return connection.scalar(select(func.sum(amounts)).where(where)) or Decimal(0)


def _bounds(period: Period, now: datetime) -> tuple[datetime, datetime]:
    """The first moment of the UTC day or month around ``now``, and that of the next."""
    start = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "day":
        return start, start + timedelta(days=1)
    start = start.replace(day=1)
    return start, (start + timedelta(days=31)).replace(day=1)


def _refuse_past_caps(
    connection: Connection, amount: Decimal, caps: Caps, now: datetime, key: str | None = None
) -> None:
    """Check one set of caps: those for everybody, or those of one key."""
    if caps.request_usd is not None and amount > caps.request_usd:
        raise BudgetExceeded(
            f"this could cost {show_usd(amount)}, and the cap on one request is {show_usd(caps.request_usd)}",
            hint=f"{_RAISE.format(cap='request_usd')}, or ask for fewer tokens",
        )
    whose = "" if key is None else f" on key {key!r}"
    periods: tuple[tuple[Period, Decimal | None], ...] = (("day", caps.day_usd), ("month", caps.month_usd))
    for period, cap in periods:
        if cap is not None and (spent := _spent(connection, period, now, key)) + amount > cap:
            left = max(cap - spent, Decimal(0))
            raise BudgetExceeded(
                f"this could cost {show_usd(amount)}, and of the {period}'s cap{whose} of {show_usd(cap)} "
                f"{show_usd(spent)} is spent or reserved, which leaves {show_usd(left)}",
                hint=_RAISE.format(cap=f"{period}_usd") if key is None else _raise_key(key, period),
            )


def _raise_key(key: str, period: Period) -> str:
    return f"isthmus key limit {key} --usd-{period} DOLLARS"
