"""Orders: lines of articles, reserved when they come, shipped or cancelled later."""

from stock.money import discounted


class Order:
    """What somebody ordered; ``lines`` are pairs of article and count."""

    def __init__(self, shelf, prices, lines, percent=0):
        self.shelf = shelf
        self.prices = prices
        self.lines = list(lines)
        self.percent = percent
        self.state = "open"
        for article, count in self.lines:
            shelf.reserve(article, count)

    def total(self):
        """What it costs, the discount taken from the whole."""
        return sum(discounted(self.prices[article] * count, self.percent) for article, count in self.lines)

    def cancel(self):
        """Give the pieces back; a ValueError unless it is open."""
        for article, count in self.lines:
            self.shelf.release(article, count)
        self.state = "cancelled"

    def ship(self):
        """Send it; a ValueError unless it is open."""
        if self.state != "open":
            raise ValueError(f"the order is {self.state}")
        for article, count in self.lines:
            self.shelf.ship(article, count)
        self.state = "shipped"
