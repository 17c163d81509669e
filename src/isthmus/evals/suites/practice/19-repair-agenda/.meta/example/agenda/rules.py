"""How often something happens."""

import calendar
from datetime import date, timedelta


class Daily:
    """Every so many days."""

    def __init__(self, every=1):
        self.every = _at_least_one(every)

    def dates(self, first):
        """The days on which it happens, to the end of the calendar."""
        return _stepped(first, timedelta(days=self.every))


class Weekly:
    """On some days of the week (0 is Monday), every so many weeks."""

    def __init__(self, days, every=1):
        self.days = sorted(set(days))
        self.every = _at_least_one(every)
        if not self.days or not set(self.days) <= set(range(7)):
            raise ValueError(f"{days} aren't days of a week")

    def dates(self, first):
        """The days on which it happens, to the end of the calendar; the weeks are counted from Mondays."""
        for day in _stepped(first, timedelta(days=1)):
            weeks = (day.toordinal() - first.toordinal() + first.weekday()) // 7
            if weeks % self.every == 0 and day.weekday() in self.days:
                yield day


class Monthly:
    """On the day of the month of its first time."""

    def dates(self, first):
        """The days on which it happens, to the end of the calendar; in a shorter month, its last day."""
        year, month = first.year, first.month
        while year <= date.max.year:
            yield date(year, month, min(first.day, calendar.monthrange(year, month)[1]))
            year, month = year + month // 12, month % 12 + 1


def _at_least_one(every):
    if every < 1:
        raise ValueError(f"every {every}")
    return every


def _stepped(day, step):
    while True:
        yield day
        if date.max - day < step:
            return
        day += step
