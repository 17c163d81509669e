"""What is there, and what of it is promised to somebody."""


class Shelf:
    """Pieces of each article, and how many of them are reserved."""

    def __init__(self, pieces=None):
        self.pieces = pieces or {}
        self.reserved = {}

    def add(self, article, count):
        """Put so many pieces there."""
        self.pieces[article] = self.pieces.get(article, 0) + count

    def free(self, article):
        """How many pieces nobody has reserved."""
        return self.pieces.get(article, 0) - self.reserved.get(article, 0)

    def reserve(self, article, count):
        """Promise so many pieces; a ValueError if there aren't as many free."""
        if count > self.pieces.get(article, 0):
            raise ValueError(f"only {self.free(article)} of {article}")
        self.reserved[article] = self.reserved.get(article, 0) + count

    def release(self, article, count):
        """Take a promise back."""
        self.reserved[article] -= count

    def ship(self, article, count):
        """Reserved pieces leave."""
        self.pieces[article] -= count
