import unittest

from grid_spiral import spiral


class GridSpiralTest(unittest.TestCase):
    def test_a_square(self):
        self.assertEqual(spiral([[1, 2, 3], [4, 5, 6], [7, 8, 9]]), [1, 2, 3, 6, 9, 8, 7, 4, 5])

    def test_wide(self):
        self.assertEqual(spiral([[1, 2, 3], [4, 5, 6]]), [1, 2, 3, 6, 5, 4])

    def test_tall(self):
        self.assertEqual(spiral([[1, 2], [3, 4], [5, 6]]), [1, 2, 4, 6, 5, 3])

    def test_one_row(self):
        self.assertEqual(spiral([[1, 2, 3]]), [1, 2, 3])

    def test_one_column(self):
        self.assertEqual(spiral([[1], [2], [3]]), [1, 2, 3])

    def test_nothing(self):
        self.assertEqual(spiral([]), [])
        self.assertEqual(spiral([[], []]), [])

    def test_the_grid_stays(self):
        grid = [[1, 2], [3, 4]]
        spiral(grid)
        self.assertEqual(grid, [[1, 2], [3, 4]])

    def test_rows_of_different_length(self):
        with self.assertRaises(ValueError):
            spiral([[1, 2], [3]])

    def test_words(self):
        self.assertEqual(spiral([["a", "b"], ["d", "c"]]), list("abcd"))


if __name__ == "__main__":
    unittest.main()
