import unittest

from calculator import evaluate


class CalculatorTest(unittest.TestCase):
    def check(self, text, value, names=None):
        with self.subTest(text=text):
            self.assertEqual(evaluate(text, names), value)

    def test_numbers(self):
        self.check("12", 12)
        self.check(" 1.5 ", 1.5)
        self.check(".5", 0.5)
        self.check("3.", 3.0)

    def test_products_before_sums(self):
        self.check("1 + 2 * 3", 7)
        self.check("2*3-4/2", 4.0)

    def test_to_the_left(self):
        self.check("8 - 3 - 2", 3)
        self.check("16 / 4 / 2", 2.0)

    def test_powers_to_the_right(self):
        self.check("2^3^2", 512)
        self.check("2 * 3^2", 18)

    def test_signs(self):
        self.check("-2^2", -4)
        self.check("2^-1", 0.5)
        self.check("3 - -2", 5)
        self.check("--2", 2)
        self.check("+5", 5)
        self.check("2 * -3", -6)

    def test_parentheses(self):
        self.check("(1 + 2) * 3", 9)
        self.check("-(2 + (3 - 1))^2", -16)

    def test_names(self):
        self.check("2 * width + h", 11, {"width": 4, "h": 3})

    def test_whole_numbers_stay_whole(self):
        self.assertIsInstance(evaluate("2 * 3 + 1"), int)
        self.assertIsInstance(evaluate("4 / 2"), float)

    def test_what_is_no_expression(self):
        for text in ("", "1 +", "* 2", "(1", "1)", "1 2", "2 $ 3", "()", "1..2", "2 ^", "a b"):
            with self.subTest(text=text), self.assertRaises(ValueError):
                evaluate(text, {"a": 1, "b": 2})

    def test_an_unknown_name(self):
        with self.assertRaises(KeyError):
            evaluate("x + 1", {"y": 1})

    def test_division_by_zero(self):
        with self.assertRaises(ZeroDivisionError):
            evaluate("1 / (2 - 2)")


if __name__ == "__main__":
    unittest.main()
