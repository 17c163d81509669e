import unittest

from tinytemplate.parser import TemplateError
from tinytemplate.renderer import render


class BasicsTest(unittest.TestCase):
    def test_values(self):
        self.assertEqual(render("Dear {{ user.name }}!", {"user": {"name": "Ada"}}), "Dear Ada!")

    def test_a_loop(self):
        self.assertEqual(
            render("{% for x in items %}\n{{ x }};\n{% endfor %}", {"items": [1, 2]}), "\n1;\n\n2;\n"
        )

    def test_a_condition(self):
        for flag, text in ((True, "yes"), (False, "")):
            self.assertEqual(render("{% if flag %}\nyes\n{% endif %}", {"flag": flag}).strip(), text)

    def test_a_filter(self):
        self.assertEqual(render("{{ name|upper }}", {"name": "ada"}), "ADA")

    def test_an_unknown_tag(self):
        with self.assertRaises(TemplateError):
            render("{% while x %}", {})


if __name__ == "__main__":
    unittest.main()
