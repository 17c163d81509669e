import unittest

from record_line import parse, render


class RecordLineTest(unittest.TestCase):
    def test_plain_fields(self):
        self.assertEqual(parse("a,b,c"), ["a", "b", "c"])

    def test_spaces_stay(self):
        self.assertEqual(parse(" a , b"), [" a ", " b"])

    def test_empty_fields(self):
        self.assertEqual(parse(""), [""])
        self.assertEqual(parse(",,"), ["", "", ""])
        self.assertEqual(parse('"",x'), ["", "x"])

    def test_quoted_fields(self):
        self.assertEqual(parse('"a,b",c'), ["a,b", "c"])
        self.assertEqual(parse('"say ""hi""",x'), ['say "hi"', "x"])
        self.assertEqual(parse('x,""""'), ["x", '"'])

    def test_line_breaks_in_quotes(self):
        self.assertEqual(parse('"a\nb",c'), ["a\nb", "c"])

    def test_what_is_wrong_and_where(self):
        for line, position in (
            ('a,"b', 2),
            ('"a"b,c', 3),
            ('a"b', 1),
            ('x,"a" ,b', 5),
            ('"abc""', 0),
            ('a,b c"', 5),
        ):
            with self.subTest(line=line), self.assertRaisesRegex(ValueError, rf"\b{position}\b"):
                parse(line)

    def test_quoted_only_where_it_must(self):
        self.assertEqual(render(["a", "b c", ""]), "a,b c,")
        self.assertEqual(render(["a,b", 'say "hi"', "x\ny"]), '"a,b","say ""hi""","x\ny"')

    def test_there_and_back(self):
        for fields in (["a", "", 'q"', ",", "\r\n"], [""], ['"', '""']):
            with self.subTest(fields=fields):
                self.assertEqual(parse(render(fields)), fields)


if __name__ == "__main__":
    unittest.main()
