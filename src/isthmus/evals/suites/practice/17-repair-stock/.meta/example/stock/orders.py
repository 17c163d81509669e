"""Orders: lines of articles, reserved when they come, shipped or cancelled later."""

from decimal import Decimal

from stock.money import discounted


class Order:
    """What somebody ordered; ``lines`` are pairs of article and count."""

    def __init__(self, shelf, prices, lines, percent=0):
        self.shelf = shelf
        self.prices = prices
        self.lines = list(lines)
        self.percent = percent
        self.state = "open"
        self._reserve()

    def _reserve(self):
        for position, (article, count) in enumerate(self.lines):
            try:
                self.shelf.reserve(article, count)
            except ValueError:
                self._release(self.lines[:position])
                raise

    def _release(self, lines):
        for article, count in lines:
            self.shelf.release(article, count)

    def total(self):
        """What it costs, the discount taken from the whole."""
        whole = sum((self.prices[article] * count for article, count in self.lines), Decimal("0.00"))
        return discounted(whole, self.percent)

    def cancel(self):
        """Give the pieces back; a ValueError unless it is open."""
        self._must_be_open()
        self._release(self.lines)
        self.state = "cancelled"

    def ship(self):
        """Send it; a ValueError unless it is open."""
        self._must_be_open()
        for article, count in self.lines:
            self.shelf.ship(article, count)
        self.state = "shipped"

    def _must_be_open(self):
        if self.state != "open":
            raise ValueError(f"the order is {self.state}")
