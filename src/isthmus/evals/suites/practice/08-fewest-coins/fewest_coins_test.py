import unittest

from fewest_coins import fewest_coins


class FewestCoinsTest(unittest.TestCase):
    def test_one_coin(self):
        self.assertEqual(fewest_coins([1, 5, 10, 25], 25), [25])

    def test_several(self):
        self.assertEqual(fewest_coins([1, 5, 10, 25], 15), [5, 10])

    def test_the_largest_first_would_be_wrong(self):
        self.assertEqual(fewest_coins([1, 3, 4], 6), [3, 3])

    def test_without_ones(self):
        self.assertEqual(fewest_coins([2, 5, 10, 20, 50], 21), [2, 2, 2, 5, 10])

    def test_coins_in_any_order(self):
        self.assertEqual(fewest_coins([10, 1, 5], 16), [1, 5, 10])

    def test_nothing(self):
        self.assertEqual(fewest_coins([1, 5], 0), [])

    def test_among_the_shortest_the_first(self):
        self.assertEqual(fewest_coins([1, 2, 3, 4], 5), [1, 4])

    def test_a_large_amount(self):
        self.assertEqual(fewest_coins([1, 2, 5, 10, 20, 50, 100], 999), [2, 2, 5, 20, 20, 50] + [100] * 9)

    def test_what_cannot_be_made(self):
        for coins, amount in (([5, 10], 3), ([5, 10], 94), ([2], -4), ([], 1)):
            with self.subTest(coins=coins, amount=amount), self.assertRaises(ValueError):
                fewest_coins(coins, amount)


if __name__ == "__main__":
    unittest.main()
