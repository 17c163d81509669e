import unittest

from running_total import running_total


class RunningTotalTest(unittest.TestCase):
    def test_each_number_is_added_to_those_before(self):
        self.assertEqual(running_total([3, -1, 4]), [3, 2, 6])

    def test_nothing_sums_to_nothing(self):
        self.assertEqual(running_total([]), [])

    def test_one_number_is_its_own_sum(self):
        self.assertEqual(running_total([7]), [7])

    def test_fractions(self):
        self.assertEqual(running_total([0.5, 0.25, 0.25]), [0.5, 0.75, 1.0])

    def test_the_list_that_was_given_stays(self):
        given = [1, 2, 3]
        running_total(given)
        self.assertEqual(given, [1, 2, 3])

    def test_a_long_list(self):
        self.assertEqual(running_total(list(range(1, 1001)))[-1], 500500)


if __name__ == "__main__":
    unittest.main()
