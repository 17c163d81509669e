"""What happens, once or again and again."""


class Event:
    """Something that happens first on a day, and then as its rule says.

    ``until`` is the last day on which it may happen; ``but_not`` are days on which it doesn't.
    """

    def __init__(self, name, first, rule=None, until=None, but_not=set()):
        self.name = name
        self.first = first
        self.rule = rule
        self.until = until
        self.but_not = but_not

    def skip(self, day):
        """Let it not happen on that day."""
        self.but_not.add(day)

    def between(self, start, end):
        """The days from the start to the end, both included, on which it happens."""
        if self.rule is None:
            return [self.first] if start <= self.first <= end else []
        days = []
        for day in self.rule.dates(self.first):
            if day in self.but_not:
                continue
            if day > end or day == self.until:
                return days
            if day >= start:
                days.append(day)
