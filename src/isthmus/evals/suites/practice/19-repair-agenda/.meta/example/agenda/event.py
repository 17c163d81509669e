"""What happens, once or again and again."""


class Event:
    """Something that happens first on a day, and then as its rule says.

    ``until`` is the last day on which it may happen; ``but_not`` are days on which it doesn't.
    """

    def __init__(self, name, first, rule=None, until=None, but_not=()):
        self.name = name
        self.first = first
        self.rule = rule
        self.until = until
        self.but_not = set(but_not)

    def skip(self, day):
        """Let it not happen on that day."""
        self.but_not.add(day)

    def days(self):
        """The days on which it happens, in order."""
        for day in [self.first] if self.rule is None else self.rule.dates(self.first):
            if self.until is not None and day > self.until:
                return
            if day not in self.but_not:
                yield day

    def between(self, start, end):
        """The days from the start to the end, both included, on which it happens."""
        found = []
        for day in self.days():
            if day > end:
                break
            if day >= start:
                found.append(day)
        return found

    def next(self, after):
        """The first day after the given one on which it happens; None if never."""
        return next((day for day in self.days() if day > after), None)
