import unittest

from build_order import CircleError, build_order


class BuildOrderTest(unittest.TestCase):
    def test_each_after_what_it_needs(self):
        self.assertEqual(build_order({"app": ["lib", "ui"], "ui": ["lib"]}), ["lib", "ui", "app"])

    def test_nothing(self):
        self.assertEqual(build_order({}), [])

    def test_what_is_only_needed_counts(self):
        self.assertEqual(build_order({"a": ["b"]}), ["b", "a"])

    def test_alphabetical_where_free(self):
        self.assertEqual(build_order({"c": [], "a": [], "b": []}), ["a", "b", "c"])

    def test_alphabetical_among_those_that_can_come_next(self):
        self.assertEqual(build_order({"z": [], "a": ["z"], "m": []}), ["m", "z", "a"])

    def test_needed_twice(self):
        self.assertEqual(build_order({"a": ["b", "b"], "b": ["c"]}), ["c", "b", "a"])

    def test_what_was_given_stays(self):
        needs = {"a": ["b"]}
        build_order(needs)
        self.assertEqual(needs, {"a": ["b"]})

    def test_a_circle(self):
        with self.assertRaises(CircleError) as caught:
            build_order({"c": ["a"], "a": ["b"], "b": ["c"], "x": []})
        self.assertEqual(caught.exception.circle, ["a", "b", "c"])

    def test_itself(self):
        with self.assertRaises(CircleError) as caught:
            build_order({"a": ["a"]})
        self.assertEqual(caught.exception.circle, ["a"])

    def test_what_only_leads_to_a_circle_is_not_in_it(self):
        with self.assertRaises(CircleError) as caught:
            build_order({"a": ["m"], "m": ["n"], "n": ["m"]})
        self.assertEqual(caught.exception.circle, ["m", "n"])

    def test_it_is_a_value_error(self):
        self.assertTrue(issubclass(CircleError, ValueError))


if __name__ == "__main__":
    unittest.main()
