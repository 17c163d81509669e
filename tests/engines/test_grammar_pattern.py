import re
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.engines.grammar_pattern import grammar_pattern


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("^ab{2,3}c$", ["abbc"], ["abc", "xabbc"]),
        ("abc", ["abc", "1abc2"], ["ab"]),
        ("^abc", ["abcd"], ["1abc"]),
        ("a|b", ["xa", "b"], ["x"]),
        (r"^\d{3}-\w+\s$", ["123-a_ "], ["12a-a "]),
        (r"^[\d\w-]+$", ["a-1"], ["a b"]),
        (r"^[^a-c]+$", ["xyz"], ["a", 'x"', "x\\", "x\n"]),
        (r"^\D\W\S$", ["a-b"], ["1-b", "aab", "a- ", '"-b']),
        ("^.$", ["a", "é"], ['"', "\\", "\n"]),
        (r"^[\]\-^.x]{2}$", ["]-", "^.", "xx"], ["ab"]),
        ("^(?:ab)+?$", ["ab", "abab"], ["aba"]),
        (r"^\.\/\-$", ["./-"], ["a/-"]),
        ("^(a|b)$", ["a"], ["ab"]),
        ("", ["", "x"], []),
    ],
)
def test_the_same_texts_match(pattern, yes, no):
    spelt = grammar_pattern(pattern)
    assert spelt is not None
    assert spelt.startswith("^")
    assert spelt.endswith("$")
    for text in yes:
        assert re.fullmatch(spelt, text), spelt
    for text in no:
        assert not re.fullmatch(spelt, text), spelt


@pytest.mark.parametrize(
    "pattern",
    [
        "^(?=a)ab$", "^(?!a)b$", "(?<n>a)", r"a\b", r"(a)\1", r"\p{L}", r"\u0041", "^a|b$", "a$b", "a^b",
        '^"$', "^\\\\$", "^\n$", '["]', r"[\x00-\x1f]", "[a",
    ],
)  # fmt: skip
def test_what_no_grammar_says_is_left_to_nobody(pattern):
    assert grammar_pattern(pattern) is None


@pytest.mark.parametrize(
    ("pattern", "kept"),
    [
        (r"^([a-z0-9]{1,63}\.){1,10}[a-z]{2,63}$", True),
        ("^((abc){100}){100}$", True),
        ("^(a?){100}$", True),
        ("^(a*)*$", True),
        ("^((a|b?)c){900}$", True),
        ("^(a?){1000}$", False),
        ("^((a?){100}){100}$", False),
        ("^((a|b?|cd){100}){100}$", False),
        ("^(((a?b*){20}){20}){20}$", False),
    ],
)
def test_to_repeat_what_may_be_empty_is_bounded(pattern, kept):
    assert (grammar_pattern(pattern) is not None) is kept


@given(st.text(alphabet=r"ab01^$.[]()|{}*+?\-dws,", max_size=15), st.text(alphabet='ab01 -"\\.', max_size=6))
def test_what_matches_the_new_one_matches_the_old(pattern, text):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compiled = re.compile(pattern, re.ASCII)
    except (re.error, RecursionError, OverflowError):
        return
    spelt = grammar_pattern(pattern)
    if spelt is not None and re.fullmatch(spelt, text):
        assert compiled.search(text)
        assert '"' not in text
        assert "\\" not in text
