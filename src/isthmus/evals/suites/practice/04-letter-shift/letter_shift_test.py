import unittest

from letter_shift import shift


class LetterShiftTest(unittest.TestCase):
    def test_letters_move_on_and_round(self):
        self.assertEqual(shift("Xyz, abc!", 3), "Abc, def!")

    def test_back(self):
        self.assertEqual(shift("Abc", -1), "Zab")

    def test_there_and_back(self):
        text = "The quick brown fox; jumps 12 times."
        self.assertEqual(shift(shift(text, 7), -7), text)

    def test_once_round_is_nothing(self):
        self.assertEqual(shift("Round", 26), "Round")

    def test_many_times_round(self):
        self.assertEqual(shift("a", 26 * 40 + 2), "c")

    def test_far_back(self):
        self.assertEqual(shift("c", -28), "a")

    def test_other_letters_stay(self):
        self.assertEqual(shift("né à 5 h", 1), "oé à 5 i")

    def test_nothing(self):
        self.assertEqual(shift("", 5), "")


if __name__ == "__main__":
    unittest.main()
