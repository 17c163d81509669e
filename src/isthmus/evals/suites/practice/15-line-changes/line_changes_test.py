import random
import unittest

from line_changes import applied, changes


class LineChangesTest(unittest.TestCase):
    def test_a_line_replaced(self):
        self.assertEqual(
            changes(["a", "b", "c"], ["a", "x", "c"]), [(" ", "a"), ("-", "b"), ("+", "x"), (" ", "c")]
        )

    def test_nothing_changed(self):
        self.assertEqual(changes(["a", "b"], ["a", "b"]), [(" ", "a"), (" ", "b")])

    def test_from_nothing_and_to_nothing(self):
        self.assertEqual(changes([], ["a"]), [("+", "a")])
        self.assertEqual(changes(["a"], []), [("-", "a")])
        self.assertEqual(changes([], []), [])

    def test_those_that_go_come_first(self):
        self.assertEqual(changes(["a", "b"], ["x", "y"]), [("-", "a"), ("-", "b"), ("+", "x"), ("+", "y")])

    def test_as_many_stay_as_can(self):
        old, new = list("abcabba"), list("cbabac")
        self.assertEqual(sum(sign == " " for sign, _ in changes(old, new)), 4)

    def test_there(self):
        chance = random.Random(7)
        for _ in range(50):
            old = [chance.choice("abcd") for _ in range(chance.randrange(12))]
            new = [chance.choice("abcd") for _ in range(chance.randrange(12))]
            script = changes(old, new)
            self.assertEqual(applied(old, script), new)
            self.assertEqual([line for sign, line in script if sign != "+"], old)

    def test_many_lines(self):
        old = [f"line {number}" for number in range(400)]
        new = [line for number, line in enumerate(old) if number % 7] + ["end"]
        self.assertEqual(applied(old, changes(old, new)), new)

    def test_a_script_that_does_not_fit(self):
        for old, script in (
            (["a"], [(" ", "b")]),
            (["a"], []),
            ([], [("-", "a")]),
            (["a"], [("?", "a")]),
            (["a", "b"], [(" ", "a")]),
        ):
            with self.subTest(script=script), self.assertRaises(ValueError):
                applied(old, script)


if __name__ == "__main__":
    unittest.main()
