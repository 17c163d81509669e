import unittest
from datetime import date

from agenda.event import Event
from agenda.planner import Planner
from agenda.rules import Daily, Monthly, Weekly


class BasicsTest(unittest.TestCase):
    def test_once(self):
        event = Event("launch", date(2026, 3, 1))
        self.assertEqual(event.between(date(2026, 1, 1), date(2026, 12, 31)), [date(2026, 3, 1)])

    def test_every_day(self):
        event = Event("walk", date(2026, 3, 1), Daily())
        self.assertEqual(
            event.between(date(2026, 3, 2), date(2026, 3, 3)), [date(2026, 3, 2), date(2026, 3, 3)]
        )

    def test_on_mondays(self):
        event = Event("class", date(2026, 3, 2), Weekly({0}))
        self.assertEqual(
            event.between(date(2026, 3, 3), date(2026, 3, 16)), [date(2026, 3, 9), date(2026, 3, 16)]
        )

    def test_every_month(self):
        event = Event("rent", date(2026, 12, 5), Monthly())
        self.assertEqual(event.between(date(2027, 1, 1), date(2027, 1, 31)), [date(2027, 1, 5)])

    def test_the_next_time(self):
        planner = Planner([Event("walk", date(2026, 3, 1), Daily(10))])
        self.assertEqual(planner.next("walk", date(2026, 3, 2)), date(2026, 3, 11))
        with self.assertRaises(KeyError):
            planner.next("swim", date(2026, 3, 2))


if __name__ == "__main__":
    unittest.main()
