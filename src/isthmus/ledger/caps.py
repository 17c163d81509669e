"""Sums of what was spent or put aside, and the caps on them: for all calls, a question, a key, a provider."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal, TypeAlias

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, func, select, true

from isthmus.errors import BudgetExceeded
from isthmus.ledger.money import show_usd
from isthmus.ledger.records import Caps, Period, ReservationRequest
from isthmus.ledger.schema import reservations

COUNTED = func.coalesce(reservations.c.settled_usd, reservations.c.reserved_usd)
"""What a call counts: settled, what it did cost; open, all that was put aside, also after its time."""

_Whose: TypeAlias = Literal["all", "key", "provider"]


class _Capped(Struct, frozen=True):
    """Whose calls a set of caps counts, and by what name."""

    whose: _Whose
    name: str
    caps: Caps

    @property
    def where(self) -> ColumnElement[bool]:
        match self.whose:
            case "all":
                return true()
            case "key":
                return reservations.c.key == self.name
            case "provider":
                return reservations.c.provider == self.name

    @property
    def described(self) -> str:
        return "" if self.whose == "all" else f" on {self.whose} {self.name!r}"

    def hint(self, period: Period) -> str:
        match self.whose:
            case "all":
                return f"raise handoff.budget.{period}_usd in isthmus.toml"
            case "key":
                return f"isthmus key limit {self.name} --usd-{period} DOLLARS"
            case "provider":
                return f"raise providers.{self.name}.{period}_usd in isthmus.toml"


def refuse_past_caps(
    connection: Connection, request: ReservationRequest, amount: Decimal, now: datetime
) -> None:
    """Check a call's worst case against every cap, in a transaction that nobody else can spend in.

    Raises:
        BudgetExceeded: It doesn't fit; the message names the cap.
    """
    _refuse_past_the_questions_cap(connection, request, amount)
    sets = [_Capped("all", "", request.caps), _Capped("provider", request.provider, request.provider_caps)]
    if request.key is not None:
        sets.append(_Capped("key", request.key, request.key_caps))
    for each in sets:
        periods: tuple[tuple[Period, Decimal | None], ...] = (
            ("day", each.caps.day_usd),
            ("month", each.caps.month_usd),
        )
        for period, cap in periods:
            if cap is not None and (taken := spent(connection, period, now, each.where)) + amount > cap:
                left = max(cap - taken, Decimal(0))
                raise BudgetExceeded(
                    f"this could cost {show_usd(amount)}, and of the {period}'s cap{each.described} of "
                    f"{show_usd(cap)} {show_usd(taken)} is spent or reserved, which leaves {show_usd(left)}",
                    hint=each.hint(period),
                )


def spent(
    connection: Connection, period: Period, now: datetime, where: ColumnElement[bool] | None = None
) -> Decimal:
    """Dollars spent or put aside in the UTC day or month around ``now``."""
    start, end = bounds(period, now)
    at = reservations.c.reserved_at
    counted = (at >= start) & (at < end)
    return total(connection, COUNTED, counted if where is None else counted & where)


def total(connection: Connection, amounts: ColumnElement[Decimal], where: ColumnElement[bool]) -> Decimal:
    """A sum of dollars; 0 where there are none."""
    return connection.scalar(select(func.sum(amounts)).where(where)) or Decimal(0)


def bounds(period: Period, now: datetime) -> tuple[datetime, datetime]:
    """The first moment of the UTC day or month around ``now``, and that of the next."""
    start = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "day":
        return start, start + timedelta(days=1)
    start = start.replace(day=1)
    return start, (start + timedelta(days=31)).replace(day=1)


def _refuse_past_the_questions_cap(
    connection: Connection, request: ReservationRequest, amount: Decimal
) -> None:
    """All calls of one question count together: a second attempt after one that was billed too."""
    cap = request.caps.request_usd
    if cap is None:
        return
    before = total(connection, COUNTED, reservations.c.question_id == request.question_id)
    if before + amount > cap:
        already = f", after {show_usd(before)} for this question's earlier calls" if before else ""
        raise BudgetExceeded(
            f"this could cost {show_usd(amount)}{already}, and the cap on one request is {show_usd(cap)}",
            hint="raise handoff.budget.request_usd in isthmus.toml, or ask for fewer tokens",
        )
