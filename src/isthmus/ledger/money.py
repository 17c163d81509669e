"""Dollars as the ledger counts them: whole nano-dollars, so that sums are exact in any database.

The finest price per token that anybody asks is about 10 nano-dollars (0.01 dollars a million). What is
finer is rounded up: a cap may be reached a nano-dollar early, never late.
"""

from decimal import ROUND_CEILING, Decimal

from isthmus.errors import LedgerError

NANO = Decimal("1e-9")
LARGEST_USD = Decimal(1_000_000_000)
"""No single amount is larger: nine of them still fit the database's 64-bit sums."""


def checked_usd(amount: Decimal, what: str) -> Decimal:
    """An amount that the ledger can hold, rounded up to whole nano-dollars.

    Args:
        amount: Dollars.
        what: What it is, for the error's sentence.

    Raises:
        LedgerError: It's negative, not a number, or beyond any bill.
    """
    if not amount.is_finite() or amount < 0 or amount > LARGEST_USD:
        raise LedgerError(f"{what} is an amount of dollars, so it can't be {amount}")
    return amount.quantize(NANO, rounding=ROUND_CEILING)


def to_nanos(amount: Decimal) -> int:
    """Dollars as whole nano-dollars, rounded up."""
    return int(amount.quantize(NANO, rounding=ROUND_CEILING).scaleb(9))


def from_nanos(nanos: int) -> Decimal:
    """Whole nano-dollars as dollars."""
    return Decimal(nanos).scaleb(-9)


def show_usd(amount: Decimal) -> str:
    """Dollars for a person: to the cent, or as much finer as the amount is.

    >>> show_usd(Decimal("1.5")), show_usd(Decimal("0.000120000"))
    ('$1.50', '$0.00012')
    """
    whole, _, fraction = f"{amount:f}".partition(".")
    return f"${whole}.{fraction.rstrip('0').ljust(2, '0')}"
