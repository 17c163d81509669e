"""All events together."""


class Planner:
    """Events, and what happens when."""

    def __init__(self, events=()):
        self.events = list(events)

    def add(self, event):
        """Take one more event in."""
        self.events.append(event)

    def between(self, start, end):
        """Pairs of day and name, in order of day and then of name."""
        found = []
        for event in self.events:
            for day in event.between(start, end):
                found.append((event.name, day))
        return sorted(found)

    def next(self, name, after):
        """The first day after the given one on which the event of that name happens; None if never.

        A KeyError if there is no such event. Two events may have one name.
        """
        for event in self.events:
            if event.name == name:
                days = event.between(after, after.replace(year=after.year + 1))
                return days[0] if days else None
        raise KeyError(name)
