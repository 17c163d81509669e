"""How often something happens."""

import calendar
from datetime import date, timedelta


class Daily:
    """Every so many days."""

    def __init__(self, every=1):
        self.every = every

    def dates(self, first):
        """The days on which it happens, without end."""
        day = first
        while True:
            yield day
            day += timedelta(days=self.every)


class Weekly:
    """On some days of the week (0 is Monday), every so many weeks."""

    def __init__(self, days, every=1):
        self.days = days
        self.every = every

    def dates(self, first):
        """The days on which it happens, without end; the weeks are counted from Mondays."""
        day = first
        while True:
            if day.weekday() in self.days:
                yield day
            day += timedelta(days=1)


class Monthly:
    """On the day of the month of its first time."""

    def dates(self, first):
        """The days on which it happens, without end; in a shorter month, its last day."""
        year, month, day = first.year, first.month, first.day
        while True:
            day = min(day, calendar.monthrange(year, month)[1])
            yield date(year, month, day)
            year, month = year + month // 12, month % 12 + 1
