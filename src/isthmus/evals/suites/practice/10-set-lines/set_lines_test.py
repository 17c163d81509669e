import unittest

from set_lines import set_lines


class SetLinesTest(unittest.TestCase):
    def test_lines_are_justified_but_the_last(self):
        self.assertEqual(set_lines("the quick brown fox jumps", 11), ["the   quick", "brown   fox", "jumps"])

    def test_the_gaps_on_the_left_get_more(self):
        self.assertEqual(set_lines("a b c d eeeeee", 10), ["a  b  c  d", "eeeeee"])
        self.assertEqual(set_lines("a b cc dddddd", 7), ["a  b cc", "dddddd"])

    def test_a_line_of_one_word(self):
        self.assertEqual(set_lines("alone together", 10), ["alone", "together"])

    def test_a_long_word_is_cut(self):
        self.assertEqual(set_lines("abcdefgh ij", 3), ["abc", "def", "gh", "ij"])

    def test_the_pieces_are_words_like_others(self):
        self.assertEqual(set_lines("x abcdefg y", 4), ["x", "abcd", "efg", "y"])
        self.assertEqual(set_lines("x abcdefg y", 5), ["x", "abcde", "fg y"])

    def test_white_space_of_any_kind(self):
        self.assertEqual(set_lines("  a\n\n b\t c ", 20), ["a b c"])

    def test_nothing(self):
        self.assertEqual(set_lines("", 5), [])
        self.assertEqual(set_lines(" \n ", 5), [])

    def test_what_fits_exactly(self):
        self.assertEqual(set_lines("ab cd ef", 5), ["ab cd", "ef"])

    def test_width_one(self):
        self.assertEqual(set_lines("ab c", 1), ["a", "b", "c"])

    def test_no_width(self):
        with self.assertRaises(ValueError):
            set_lines("a", 0)


if __name__ == "__main__":
    unittest.main()
