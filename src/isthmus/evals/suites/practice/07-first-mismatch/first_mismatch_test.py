import unittest

from first_mismatch import first_mismatch


class FirstMismatchTest(unittest.TestCase):
    def check(self, code, position):
        with self.subTest(code=code):
            self.assertEqual(first_mismatch(code), position)

    def test_nothing_wrong(self):
        for code in ("", "abc", "()", "f(a[0], {1: (2)})"):
            self.check(code, -1)

    def test_one_stays_open(self):
        self.check("f(a[0]) + {", 10)

    def test_the_first_of_those_that_stay_open(self):
        self.check("([]{", 0)

    def test_one_that_closes_nothing(self):
        self.check("a)", 1)

    def test_the_wrong_kind(self):
        self.check("(a]", 2)

    def test_the_wrong_kind_comes_before_what_stays_open(self):
        self.check("{ (a] ", 4)

    def test_strings_hide_brackets(self):
        self.check('print(")")', -1)
        self.check("x = '([' + y", -1)

    def test_the_other_quote_inside_a_string(self):
        self.check('f("it\'s ( fine")', -1)

    def test_an_escaped_quote(self):
        self.check('f("a\\")")', -1)

    def test_an_escaped_backslash(self):
        self.check('f("a\\\\")', -1)

    def test_a_string_without_an_end(self):
        self.check('f("abc)', 1)


if __name__ == "__main__":
    unittest.main()
