import unittest

from leap_days import leap_days


class LeapDaysTest(unittest.TestCase):
    def test_a_year_that_four_divides(self):
        self.assertEqual(leap_days(2024, 2024), 1)

    def test_a_common_year(self):
        self.assertEqual(leap_days(2023, 2023), 0)

    def test_a_hundred_divides_it(self):
        self.assertEqual(leap_days(1900, 1900), 0)

    def test_four_hundred_divides_it(self):
        self.assertEqual(leap_days(2000, 2000), 1)

    def test_both_ends_count(self):
        self.assertEqual(leap_days(2020, 2024), 2)

    def test_a_century(self):
        self.assertEqual(leap_days(1801, 1900), 24)

    def test_turned_round(self):
        self.assertEqual(leap_days(2024, 2000), 0)

    def test_many_years(self):
        self.assertEqual(leap_days(1, 400_000_000), 97_000_000)


if __name__ == "__main__":
    unittest.main()
