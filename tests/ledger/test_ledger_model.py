"""The ledger's money against a model of it in plain Decimals, through whatever Hypothesis thinks of."""

import math
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from isthmus.errors import BudgetExceeded, LedgerError
from isthmus.ledger import Caps, Ledger, Reservation, open_database

from .samples import SetClock, call

# Finer than a nano-dollar, so that rounding is tried; small, so that sums come near the caps.
amounts = st.decimals(min_value=0, max_value=2, places=11)
caps = st.none() | st.decimals(min_value=0, max_value=6, places=3)


def rounded_up(amount: Decimal) -> Decimal:
    return Decimal(math.ceil(Fraction(amount) * 10**9)) / 10**9


class Entry:
    """What the model knows of one reservation."""

    def __init__(self, reserved_at: datetime, counted: Decimal) -> None:
        self.reserved_at = reserved_at
        self.counted = counted
        self.settled = False


class Money(RuleBasedStateMachine):
    """Reserve, settle, release and let time pass, in any order."""

    template: Path  # an empty ledger, made once: migrating one for each example would take most of the time
    reservations = Bundle("reservations")

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        shutil.copy(self.template, self.folder / "ledger.sqlite3")
        self.engine = open_database(self.folder / "ledger.sqlite3")
        self.clock = SetClock(datetime(2026, 1, 30, 22, tzinfo=UTC))
        self.ledger = Ledger(self.engine, now=self.clock)
        self.entries: dict[int, Entry] = {}

    def teardown(self) -> None:
        self.engine.dispose()
        shutil.rmtree(self.folder)

    def counted(self, days_or_months: str) -> Decimal:
        length = {"day": 10, "month": 7}[days_or_months]
        now = self.clock.moment.isoformat()[:length]
        return sum(
            (e.counted for e in self.entries.values() if e.reserved_at.isoformat()[:length] == now),
            Decimal(0),
        )

    @rule(hours=st.integers(min_value=1, max_value=30))
    def time_passes(self, hours: int) -> None:
        self.clock.advance(hours=hours)

    @rule(target=reservations, amount=amounts, request=caps, day=caps, month=caps)
    def reserve(self, amount: Decimal, request: Decimal | None, day: Decimal | None, month: Decimal | None):
        worst = rounded_up(amount)
        fits = (
            (request is None or worst <= request)
            and (day is None or self.counted("day") + worst <= day)
            and (month is None or self.counted("month") + worst <= month)
        )
        wanted = call(str(amount), caps=Caps(request, day, month), lifetime_s=60)
        if not fits:
            with pytest.raises(BudgetExceeded):
                self.ledger.reserve(wanted)
            return multiple()
        reservation = self.ledger.reserve(wanted)
        assert reservation.id not in self.entries
        assert reservation.amount_usd == worst
        self.entries[reservation.id] = Entry(self.clock.moment, worst)
        return reservation

    @rule(reservation=reservations, cost=amounts)
    def settle(self, reservation: Reservation, cost: Decimal) -> None:
        self.expect_settled(reservation, rounded_up(cost), lambda: self.ledger.settle(reservation.id, cost))

    @rule(reservation=reservations)
    def settle_again(self, reservation: Reservation) -> None:
        entry = self.entries[reservation.id]
        if entry.settled:
            self.ledger.settle(reservation.id, entry.counted)

    @rule(reservation=reservations)
    def release(self, reservation: Reservation) -> None:
        self.expect_settled(reservation, Decimal(0), lambda: self.ledger.release(reservation.id))

    def expect_settled(self, reservation: Reservation, cost: Decimal, act) -> None:
        entry = self.entries[reservation.id]
        if entry.settled and entry.counted != cost:
            with pytest.raises(LedgerError):
                act()
            return
        act()
        entry.counted, entry.settled = cost, True

    @rule(days=st.integers(min_value=0, max_value=40))
    def the_past_stays(self, days: int) -> None:
        moment = self.clock.moment - timedelta(days=days)
        expected = [e.counted for e in self.entries.values() if e.reserved_at.date() == moment.date()]
        assert self.ledger.spent("day", moment) == sum(expected, Decimal(0))

    @invariant()
    def sums_agree(self) -> None:
        if hasattr(self, "ledger"):
            assert self.ledger.spent("day") == self.counted("day")
            assert self.ledger.spent("month") == self.counted("month")


def test_money_is_counted_as_in_the_model(tmp_path: Path):
    Money.template = tmp_path / "template.sqlite3"
    open_database(Money.template).dispose()
    case = Money.TestCase
    case.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
    case().runTest()
