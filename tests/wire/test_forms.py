"""The form of an answer, asked for in one of three ways."""

import pytest

from isthmus.errors import RequestError
from isthmus.wire.forms import Form, read_form

SCHEMA = {"type": "object", "properties": {"x": {"type": "integer"}}}
JSON = {"type": "json_object"}
GRAMMAR = 'root ::= "yes" | "no"'


def test_each_way_is_read():
    assert read_form(None, None, None) == Form()
    assert read_form({"type": "text"}, None, "") == Form()
    assert read_form(JSON, None, None) == Form(JSON)
    assert read_form(None, None, GRAMMAR) == Form(grammar=GRAMMAR)
    form = read_form(None, SCHEMA, None).response_format
    assert form == {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ((JSON, SCHEMA, None), "json_schema"),
        ((JSON, None, GRAMMAR), "grammar"),
        ((None, SCHEMA, GRAMMAR), "grammar"),
        ((None, {"type": "hiccup"}, None), "json_schema"),
        (({"type": "sound"}, None, None), "response_format.type"),
        ((None, None, "a"), "grammar"),
    ],
)
def test_two_ways_at_once_and_bad_ones_are_refused(asked, param):
    with pytest.raises(RequestError) as caught:
        read_form(*asked)
    assert caught.value.param.startswith(param)


def test_a_grammar_stands_alone():
    assert read_form(JSON, None, None, beside="tools") == Form(JSON)
    with pytest.raises(RequestError, match="beside tools"):
        read_form(None, None, GRAMMAR, beside="tools")
