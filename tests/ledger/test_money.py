import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.errors import LedgerError
from isthmus.ledger.money import LARGEST_USD, checked_usd, from_nanos, show_usd, to_nanos

amounts = st.decimals(min_value=0, max_value=LARGEST_USD, allow_nan=False, allow_infinity=False)


@given(amounts)
def test_an_amount_is_rounded_up_to_a_nano_dollar_and_no_further(amount: Decimal):
    assert to_nanos(amount) == math.ceil(Fraction(amount) * 10**9)


@given(st.integers(min_value=0, max_value=10**18))
def test_nano_dollars_survive_the_way_there_and_back(nanos: int):
    assert to_nanos(from_nanos(nanos)) == nanos


@given(amounts)
def test_a_checked_amount_is_what_the_database_gives_back(amount: Decimal):
    assert checked_usd(amount, "it") == from_nanos(to_nanos(amount))


@pytest.mark.parametrize("amount", ["-0.000000001", "NaN", "Infinity", "-Infinity", "1000000000.1", "1E+40"])
def test_what_is_no_amount_of_dollars_is_refused(amount: str):
    with pytest.raises(LedgerError, match="a price is an amount of dollars, so it can't be"):
        checked_usd(Decimal(amount), "a price")


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0", "$0.00"),
        ("1.5", "$1.50"),
        ("12", "$12.00"),
        ("0.000120000", "$0.00012"),
        ("1E+2", "$100.00"),
        ("0.000000001", "$0.000000001"),
    ],
)
def test_dollars_are_shown_to_the_cent_or_as_fine_as_they_are(amount: str, shown: str):
    assert show_usd(Decimal(amount)) == shown
