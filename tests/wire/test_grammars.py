"""Grammars: which are passed on, and which are too much."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.errors import RequestError
from isthmus.wire.grammars import MAX_GRAMMAR, MAX_GROUPS, read_grammar
from isthmus.wire.schemas import MAX_REPETITION


@pytest.mark.parametrize("nothing", [None, ""])
def test_none_is_none(nothing):
    assert read_grammar(nothing) is None


@pytest.mark.parametrize(
    "grammar",
    [
        'root ::= "a"{5,5}',
        'word ::= [a-z]+\n  root   ::= word (" " word){0,20}',
        "root ::= " + "(" * (MAX_GROUPS - 1) + '"a"' + ")" * (MAX_GROUPS - 1),
        'root ::= ("a"{100}){10}',
        'root ::= (x{100}) y{1000}\nx ::= "x"\ny ::= "y"',
        # What stands in literals, classes and comments groups and repeats nothing.
        'root ::= "' + "(" * 99 + '{9999}" [' + "(" * 99 + "{9999}] # " + "(" * 99 + "{9999}",
        'root ::= "say \\"{9999}\\""',
    ],
    ids=lambda grammar: grammar[:30],
)
def test_a_grammar_arrives_as_it_was_sent(grammar):
    assert read_grammar(grammar) == grammar


@pytest.mark.parametrize(
    ("grammar", "why"),
    [
        ('answer ::= "a"', "no rule named root"),
        ('roots ::= "a"', "no rule named root"),
        ('root ::= "a"' + " " * MAX_GRAMMAR, "longer than"),
        ("root ::= " + "(" * MAX_GROUPS + '"a"' + ")" * MAX_GROUPS, "nested"),
        ('root ::= "a"{1001}', "repeats"),
        ('root ::= "a"{,1001}', "repeats"),
        ('root ::= "a"{ 1 , 99999999999999999999 }', "repeats"),
        ('root ::= ("a"{1000}){1000}', f"{MAX_REPETITION:,}"),
        ('root ::= ((("a"{30}) "b"){30}){30}', f"{MAX_REPETITION:,}"),
    ],
    ids=lambda text: text[:30],
)
def test_what_the_engine_could_not_work_with_is_refused(grammar, why):
    with pytest.raises(RequestError, match=why) as caught:
        read_grammar(grammar)
    assert caught.value.param == "grammar"


@given(st.text('root ::="a"[]{}(),|*+?#\\\n 12', max_size=60))
def test_whatever_comes_is_read_or_refused(text):
    with suppress(RequestError):
        assert read_grammar(text) in (text, None)
