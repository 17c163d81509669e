import unittest

from tinytemplate.parser import TemplateError
from tinytemplate.renderer import render


class Person:
    name = "Ada"


class TinytemplateTest(unittest.TestCase):
    def check(self, source, values, text):
        with self.subTest(source=source):
            self.assertEqual(render(source, values), text)

    def wrong(self, source, line):
        with self.subTest(source=source), self.assertRaises(TemplateError) as caught:
            render(source, {"a": [1], "x": 1})
        self.assertEqual(caught.exception.line, line)

    def test_several_on_one_line(self):
        self.check("{{ a }} and {{ b }}", {"a": 1, "b": 2}, "1 and 2")
        self.check("{% for x in a %}{{ x }},{% endfor %}", {"a": [1, 2]}, "1,2,")

    def test_escaped_once(self):
        self.check("{{ a }}", {"a": "<b> & co"}, "&lt;b&gt; &amp; co")

    def test_safe(self):
        self.check("{{ a|safe }}{{ a | upper | safe }}", {"a": "<b>"}, "<b><B>")

    def test_filters_with_spaces(self):
        self.check("{{ a | upper }}", {"a": "x"}, "X")

    def test_filters_get_the_value(self):
        self.check("{{ a|length }}", {"a": [10, 20, 30]}, "3")
        self.check("{{ a|upper }}", {"a": None}, "NONE")

    def test_an_unknown_filter(self):
        self.wrong("\n{% if nothing %}{{ a|loud }}{% endif %}", 2)

    def test_loops_keep_their_variable(self):
        values = {"x": "out", "a": [1, 2]}
        self.check("{% for x in a %}{{ x }}{% endfor %}{{ x }}", values, "12out")
        self.assertEqual(values, {"x": "out", "a": [1, 2]})

    def test_loops_in_loops(self):
        self.check(
            "{% for x in a %}{% for y in x %}{{ y }}{% endfor %}/{% endfor %}", {"a": [[1, 2], [3]]}, "12/3/"
        )
        self.check("{% for x in a %}{% for x in x.b %}{{ x }}{% endfor %}{{ x.c }}{% endfor %}",
                   {"a": [{"b": [1], "c": 2}]}, "12")  # fmt: skip

    def test_the_line_of_what_is_wrong(self):
        self.wrong("a\nb\n{% while x %}", 3)
        self.wrong("{{ a }}\n{{ }}", 2)
        self.wrong("\n\n{% %}", 3)

    def test_what_has_no_end(self):
        self.wrong("\n{% for x in a %}\n{{ x }}", 2)
        self.wrong("{% if a %}\n{% for x in a %}\n{% endfor %}", 1)
        self.wrong("{% if a %}{% else %}\n", 1)

    def test_what_has_no_beginning(self):
        self.wrong("\n{% endfor %}", 2)
        self.wrong("{% for x in a %}\n{% endif %}", 2)
        self.wrong("{% else %}", 1)

    def test_tags_that_cannot_be_read(self):
        for tag in ("for x", "for x on a", "for x in a b", "if", "if a b", "if not", "if not a b"):
            self.wrong("{% " + tag + " %}{% endfor %}{% endif %}", 1)

    def test_else(self):
        source = "{% if a %}yes{% else %}no{% endif %}"
        self.check(source, {"a": 1}, "yes")
        self.check(source, {"a": []}, "no")
        self.check("{% if not a %}yes{% else %}no{% endif %}", {"a": 0}, "yes")
        self.check("{% if a %}1{% else %}{% if b %}2{% else %}3{% endif %}{% endif %}", {"b": 1}, "2")

    def test_two_elses(self):
        self.wrong("{% if a %}\n{% else %}\n{% else %}{% endif %}", 3)

    def test_nothing_to_loop_over(self):
        source = "{% for x in a %}{{ x }}{% else %}none{% endfor %}"
        self.check(source, {"a": []}, "none")
        self.check(source, {}, "none")
        self.check(source, {"a": [1]}, "1")
        self.check(source, {"a": iter([1, 2])}, "12")

    def test_what_is_not_closed_is_text(self):
        for text in ("{{ a\n}} {% if", "{{ a\n}}", "{{", "{% }}"):
            self.check(text, {"a": 1}, text)

    def test_dots(self):
        self.check("{{ p.name }}{{ p.age }}{{ q.r.s }}", {"p": Person()}, "Ada")


if __name__ == "__main__":
    unittest.main()
