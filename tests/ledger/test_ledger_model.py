"""The ledger's money against a model of it in plain Decimals, through whatever Hypothesis thinks of."""

import math
import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from isthmus.errors import BudgetExceeded, LedgerError
from isthmus.ledger import Caps, Ledger, Reservation, ReservationRequest, open_database
from isthmus.ledger.verify import verify

from .samples import SetClock, call, question

# Finer than a nano-dollar, so that rounding is tried; small, so that sums come near the caps.
amounts = st.decimals(min_value=0, max_value=2, places=11)
caps = st.none() | st.decimals(min_value=0, max_value=6, places=3)
periods = st.builds(Caps, day_usd=caps, month_usd=caps)


def rounded_up(amount: Decimal) -> Decimal:
    return Decimal(math.ceil(Fraction(amount) * 10**9)) / 10**9


names = st.sampled_from(["one", "other"])


class Entry:
    """What the model knows of one reservation."""

    def __init__(self, wanted: ReservationRequest, reserved_at: datetime, counted: Decimal) -> None:
        self.wanted = wanted
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
        assert verify(self.engine).whole
        self.engine.dispose()
        shutil.rmtree(self.folder)

    def counted(self, days_or_months: str, **whose: str | None) -> Decimal:
        length = {"day": 10, "month": 7}[days_or_months]
        now = self.clock.moment.isoformat()[:length]
        return self.sum(lambda entry: entry.reserved_at.isoformat()[:length] == now, **whose)

    def sum(self, chosen: Callable[[Entry], bool], **whose: str | None) -> Decimal:
        """What counts of the reservations that are chosen, and have these fields."""
        entries = [entry for entry in self.entries.values() if chosen(entry)]
        mine = [e for e in entries if all(getattr(e.wanted, name) == each for name, each in whose.items())]
        return sum((entry.counted for entry in mine), Decimal(0))

    def fits(self, worst: Decimal, limits: Caps, **whose: str | None) -> bool:
        return (limits.day_usd is None or self.counted("day", **whose) + worst <= limits.day_usd) and (
            limits.month_usd is None or self.counted("month", **whose) + worst <= limits.month_usd
        )

    @rule(hours=st.integers(min_value=1, max_value=30))
    def time_passes(self, hours: int) -> None:
        self.clock.advance(hours=hours)

    @rule(
        target=reservations,
        amount=amounts,
        request=caps,
        for_all=periods,
        for_key=periods,
        for_provider=periods,
        question=names,
        key=st.none() | names,
        provider=names,
    )
    def reserve(
        self,
        amount: Decimal,
        request: Decimal | None,
        for_all: Caps,
        for_key: Caps,
        for_provider: Caps,
        question: str,
        key: str | None,
        provider: str,
    ):
        worst = rounded_up(amount)
        wanted = call(
            str(amount),
            question_id=question,
            key=key,
            provider=provider,
            caps=Caps(request, for_all.day_usd, for_all.month_usd),
            key_caps=for_key,
            provider_caps=for_provider,
            lifetime_s=60,
        )
        fits = (
            (request is None or self.sum(lambda _: True, question_id=question) + worst <= request)
            and self.fits(worst, for_all)
            and (key is None or self.fits(worst, for_key, key=key))
            and self.fits(worst, for_provider, provider=provider)
        )
        if not fits:
            with pytest.raises(BudgetExceeded):
                self.ledger.reserve(wanted)
            return multiple()
        reservation = self.ledger.reserve(wanted)
        assert reservation.id not in self.entries
        assert reservation.amount_usd == worst
        self.entries[reservation.id] = Entry(wanted, self.clock.moment, worst)
        return reservation

    @rule()
    def the_program_restarts(self) -> None:
        self.engine.dispose()
        self.engine = open_database(self.folder / "ledger.sqlite3")
        self.ledger = Ledger(self.engine, now=self.clock)

    @rule()
    def a_question_ends(self) -> None:
        self.ledger.record([question()])

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
            assert self.ledger.spent("day", key="one") == self.counted("day", key="one")
            assert self.ledger.spent("month", provider="one") == self.counted("month", provider="one")


def test_money_is_counted_as_in_the_model(tmp_path: Path):
    Money.template = tmp_path / "template.sqlite3"
    open_database(Money.template).dispose()
    case = Money.TestCase
    case.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)
    case().runTest()
