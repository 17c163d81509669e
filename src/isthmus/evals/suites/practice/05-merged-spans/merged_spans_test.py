import unittest

from merged_spans import merged


class MergedSpansTest(unittest.TestCase):
    def test_overlapping_and_touching(self):
        self.assertEqual(merged([(5, 8), (1, 3), (2, 4), (8, 9)]), [(1, 4), (5, 9)])

    def test_nothing(self):
        self.assertEqual(merged([]), [])

    def test_apart(self):
        self.assertEqual(merged([(3, 4), (1, 2)]), [(1, 2), (3, 4)])

    def test_one_inside_another(self):
        self.assertEqual(merged([(1, 10), (2, 3), (4, 5)]), [(1, 10)])

    def test_a_point(self):
        self.assertEqual(merged([(2, 2), (1, 2)]), [(1, 2)])

    def test_twice_the_same(self):
        self.assertEqual(merged([(1, 2), (1, 2)]), [(1, 2)])

    def test_the_list_stays(self):
        given = [(5, 6), (1, 2)]
        merged(given)
        self.assertEqual(given, [(5, 6), (1, 2)])

    def test_turned_round(self):
        with self.assertRaises(ValueError):
            merged([(1, 2), (4, 3)])


if __name__ == "__main__":
    unittest.main()
