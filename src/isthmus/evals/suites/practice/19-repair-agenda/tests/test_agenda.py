import unittest
from datetime import date, timedelta

from agenda.event import Event
from agenda.planner import Planner
from agenda.rules import Daily, Monthly, Weekly

YEAR = (date(2026, 1, 1), date(2026, 12, 31))


class AgendaTest(unittest.TestCase):
    def test_the_thirty_first(self):
        event = Event("report", date(2028, 1, 31), Monthly())
        self.assertEqual(
            event.between(date(2028, 1, 1), date(2028, 5, 31)),
            [date(2028, 1, 31), date(2028, 2, 29), date(2028, 3, 31), date(2028, 4, 30), date(2028, 5, 31)],
        )

    def test_every_second_week(self):
        event = Event("club", date(2026, 1, 7), Weekly([4, 0], every=2))
        self.assertEqual(
            event.between(date(2026, 1, 1), date(2026, 2, 6)),
            [date(2026, 1, 9), date(2026, 1, 19), date(2026, 1, 23), date(2026, 2, 2), date(2026, 2, 6)],
        )

    def test_until_counts(self):
        event = Event("course", date(2026, 1, 1), Daily(), until=date(2026, 1, 3))
        self.assertEqual(len(event.between(*YEAR)), 3)

    def test_until_between_two_days(self):
        event = Event("course", date(2026, 1, 1), Daily(5), until=date(2026, 1, 9))
        self.assertEqual(event.between(*YEAR), [date(2026, 1, 1), date(2026, 1, 6)])

    def test_what_is_skipped_is_skipped_for_one(self):
        one, other = (Event(name, date(2026, 1, 1), Daily(), until=date(2026, 1, 2)) for name in "ab")
        one.skip(date(2026, 1, 1))
        self.assertEqual((len(one.between(*YEAR)), len(other.between(*YEAR))), (1, 2))

    def test_what_was_given_stays(self):
        given = {date(2026, 1, 5)}
        Event("a", date(2026, 1, 1), Daily(), but_not=given).skip(date(2026, 1, 6))
        self.assertEqual(given, {date(2026, 1, 5)})

    def test_skipped_once(self):
        event = Event("launch", date(2026, 3, 1))
        event.skip(date(2026, 3, 1))
        self.assertEqual(event.between(*YEAR), [])

    def test_the_last_day_skipped(self):
        event = Event("course", date(2026, 1, 1), Daily(), until=date(2026, 1, 3), but_not={date(2026, 1, 3)})
        self.assertEqual(event.between(*YEAR), [date(2026, 1, 1), date(2026, 1, 2)])

    def test_in_order_of_the_day(self):
        planner = Planner([Event("b", date(2026, 1, 1), Daily(2), until=date(2026, 1, 3))])
        planner.add(Event("a", date(2026, 1, 2)))
        planner.add(Event("a", date(2026, 1, 3)))
        self.assertEqual(
            planner.between(*YEAR),
            [
                (date(2026, 1, 1), "b"),
                (date(2026, 1, 2), "a"),
                (date(2026, 1, 3), "a"),
                (date(2026, 1, 3), "b"),
            ],
        )

    def test_next_is_after(self):
        planner = Planner([Event("walk", date(2026, 3, 1), Daily(10))])
        self.assertEqual(planner.next("walk", date(2026, 3, 1)), date(2026, 3, 11))
        self.assertEqual(planner.next("walk", date(2020, 3, 1)), date(2026, 3, 1))

    def test_next_is_far_away(self):
        planner = Planner([Event("walk", date(2026, 3, 1), Daily(500)), Event("jubilee", date(2036, 5, 1))])
        self.assertEqual(planner.next("walk", date(2026, 3, 1)), date(2026, 3, 1) + timedelta(days=500))
        self.assertEqual(planner.next("jubilee", date(2026, 1, 1)), date(2036, 5, 1))

    def test_next_after_a_leap_day(self):
        planner = Planner([Event("rent", date(2028, 1, 5), Monthly())])
        self.assertEqual(planner.next("rent", date(2028, 2, 29)), date(2028, 3, 5))

    def test_two_of_one_name(self):
        planner = Planner([Event("tea", date(2026, 5, 1)), Event("tea", date(2026, 4, 1))])
        self.assertEqual(planner.next("tea", date(2026, 1, 1)), date(2026, 4, 1))
        self.assertEqual(planner.next("tea", date(2026, 4, 1)), date(2026, 5, 1))

    def test_never_again(self):
        until = date(2026, 2, 1)
        planner = Planner(
            [Event("a", date(2026, 1, 1)), Event("b", date(2026, 1, 1), Monthly(), until=until)]
        )
        self.assertIsNone(planner.next("a", date(2026, 1, 1)))
        self.assertIsNone(planner.next("b", date(2026, 2, 1)))

    def test_the_end_of_the_calendar(self):
        for rule in (Daily(), Daily(400), Weekly([6]), Monthly()):
            planner = Planner([Event("a", date(9999, 11, 30), rule)])
            with self.subTest(rule=rule):
                self.assertIsNone(planner.next("a", date(9999, 12, 31)))

    def test_rules_that_cannot_be(self):
        for made in (lambda: Daily(0), lambda: Weekly([0], every=0), lambda: Weekly([]), lambda: Weekly([7])):
            with self.assertRaises(ValueError):
                made()


if __name__ == "__main__":
    unittest.main()
