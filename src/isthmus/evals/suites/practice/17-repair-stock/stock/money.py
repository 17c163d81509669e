"""Prices in euros, exact to the cent."""

from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")


def price(text):
    """The price that a text such as ``"3.49"`` says."""
    return Decimal(text).quantize(CENT, rounding=ROUND_HALF_UP)


def discounted(amount, percent):
    """The amount less so many percent, rounded to the cent; half a cent goes up."""
    return amount - Decimal(int(amount * percent)) / 100
