from datetime import datetime
from decimal import Decimal

import pytest

from isthmus.errors import LedgerError

from .samples import call, caps, question


def test_a_question_needs_an_aware_time():
    with pytest.raises(LedgerError, match="a question's time needs a time zone"):
        question(at=datetime(2026, 3, 14))


@pytest.mark.parametrize("cost", ["-1", "NaN", "Infinity"])
def test_a_questions_cost_is_an_amount(cost: str):
    with pytest.raises(LedgerError, match="a question's cost"):
        question(cost_usd=Decimal(cost))


@pytest.mark.parametrize("cap", ["-0.01", "NaN"])
def test_a_cap_is_an_amount(cap: str):
    with pytest.raises(LedgerError, match="a cap is an amount of dollars"):
        caps(month=cap)


@pytest.mark.parametrize("amount", ["-1", "NaN", "Infinity"])
def test_a_reservation_is_an_amount(amount: str):
    with pytest.raises(LedgerError, match="a reservation is an amount of dollars"):
        call(amount)


@pytest.mark.parametrize("lifetime_s", [0.0, -1.0, float("inf"), float("nan")])
def test_a_reservation_lives_for_a_while(lifetime_s: float):
    with pytest.raises(LedgerError, match="can't live for"):
        call("1", lifetime_s=lifetime_s)
