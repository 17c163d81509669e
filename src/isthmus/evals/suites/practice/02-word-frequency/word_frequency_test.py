import unittest

from word_frequency import word_frequency


class WordFrequencyTest(unittest.TestCase):
    def test_words_are_counted_whatever_their_case(self):
        self.assertEqual(
            word_frequency("One fish, two fish. Don't fish!"), {"one": 1, "fish": 3, "two": 1, "don't": 1}
        )

    def test_an_empty_text_has_no_words(self):
        self.assertEqual(word_frequency(""), {})

    def test_marks_alone_are_no_words(self):
        self.assertEqual(word_frequency("... -- !?"), {})

    def test_quotes_around_a_word_are_not_part_of_it(self):
        self.assertEqual(word_frequency("'yes' and 'no'"), {"yes": 1, "and": 1, "no": 1})

    def test_digits_make_words(self):
        self.assertEqual(word_frequency("2 be or not 2 be"), {"2": 2, "be": 2, "or": 1, "not": 1})

    def test_lines_and_tabs_part_words(self):
        self.assertEqual(word_frequency("a\tb\na"), {"a": 2, "b": 1})

    def test_a_dash_parts_words(self):
        self.assertEqual(word_frequency("well-known"), {"well": 1, "known": 1})


if __name__ == "__main__":
    unittest.main()
