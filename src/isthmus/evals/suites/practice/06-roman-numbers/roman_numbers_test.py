import unittest

from roman_numbers import from_roman, to_roman


class RomanNumbersTest(unittest.TestCase):
    def test_written(self):
        for number, text in [
            (1, "I"),
            (4, "IV"),
            (9, "IX"),
            (48, "XLVIII"),
            (1994, "MCMXCIV"),
            (3999, "MMMCMXCIX"),
        ]:
            with self.subTest(number=number):
                self.assertEqual(to_roman(number), text)

    def test_read(self):
        for number, text in [(1, "I"), (14, "XIV"), (444, "CDXLIV"), (2026, "MMXXVI")]:
            with self.subTest(text=text):
                self.assertEqual(from_roman(text), number)

    def test_small_letters(self):
        self.assertEqual(from_roman("mcmxciv"), 1994)

    def test_there_and_back(self):
        for number in range(1, 4000):
            self.assertEqual(from_roman(to_roman(number)), number)

    def test_what_has_no_numerals(self):
        for number in (0, -1, 4000):
            with self.subTest(number=number), self.assertRaises(ValueError):
                to_roman(number)

    def test_what_is_no_number(self):
        for text in ("", "IIII", "VX", "IM", "ABC", "XIVI", "VV", "I I"):
            with self.subTest(text=text), self.assertRaises(ValueError):
                from_roman(text)


if __name__ == "__main__":
    unittest.main()
