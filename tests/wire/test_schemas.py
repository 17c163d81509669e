import socket
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.errors import RequestError
from isthmus.wire.response_format import read_format
from isthmus.wire.schemas import MAX_DEPTH, MAX_ENUM, MAX_OPTIONAL, MAX_VALUES, Allowance, resolve, subschemas


def nested(levels):
    schema = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "array", "items": schema}
    return schema


def deep(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


def prop(**schema):
    return {"type": "object", "properties": {"a": schema}}


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object", "properties": {"$ref": {"type": "string"}, "pattern": {"enum": [1]}}},
        {"$schema": "http://json-schema.org/draft-07/schema#", "type": "array", "items": [{}, {}]},
        {"$schema": "https://example.org/mine", "type": "object"},
        prop(**{"$ref": "#"}),
        prop(**{"$ref": "#/$defs/n"}) | {"$defs": {"n": {"$ref": "#/$defs/m"}, "m": {"type": "null"}}},
        prop(**{"$ref": "#/$defs/a~1b%20c"}) | {"$defs": {"a/b c": True}},
        prop(pattern="^(?=x)[a-z]{2,1000}$"),
        nested(MAX_DEPTH - 1),
        {"enum": list(range(MAX_ENUM))},
        prop(default=deep(90)),
        prop(minimum=10**40),
    ],
    ids=range(12),
)
def test_what_can_be_worked_with(schema):
    Allowance().check(schema, "schema")


@pytest.mark.parametrize(
    ("schema", "param"),
    [
        ({"type": "thing"}, "schema.type"),
        ({"properties": 5}, "schema.properties"),
        (prop(type="thing"), "schema.properties.a.type"),
        (prop(**{"$ref": "https://example.org/x.json"}), "schema.properties.a.$ref"),
        (prop(**{"$ref": "file:///etc/passwd"}), "schema.properties.a.$ref"),
        (prop(**{"$ref": "other.json#/x"}), "schema.properties.a.$ref"),
        (prop(**{"$ref": "#anchor"}), "schema.properties.a.$ref"),
        (prop(**{"$ref": "#/$defs/none"}), "schema.properties.a.$ref"),
        (prop(**{"$dynamicRef": "#a"}), "schema.properties.a.$dynamicRef"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}, "schema.$ref"),
        ({"$ref": "#"}, "schema.$ref"),
        (nested(MAX_DEPTH), "schema"),
        (prop(default=deep(200)), "schema"),
        ({"enum": list(range(MAX_ENUM + 1))}, "schema.enum"),
        ({"examples": [0] * MAX_VALUES}, "schema"),
        ({"description": "x" * 600_000}, "schema"),
        (prop(pattern="("), "schema.properties.a.pattern"),
        (prop(pattern="a" * 513), "schema.properties.a.pattern"),
        (prop(pattern="a{1001}"), "schema.properties.a.pattern"),
        (prop(pattern="((a{1000}){1000}){1000}"), "schema.properties.a.pattern"),
        ({"patternProperties": {"a{2,9999}": {}}}, "schema.patternProperties"),
    ],
    ids=range(21),
)
def test_what_cannot_is_named(schema, param, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("it asked for an address"))
    with pytest.raises(RequestError) as caught:
        Allowance().check(schema, "schema")
    assert caught.value.param == param
    assert caught.value.message.startswith(param)
    assert len(caught.value.message) < 700


def test_the_allowance_is_for_all_schemas_of_a_request_together():
    allowance, half = Allowance(), {"examples": [0] * (MAX_VALUES // 2)}
    allowance.check(half, "one")
    with pytest.raises(RequestError, match="two: schemas hold more than"):
        allowance.check(half, "two")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
KEYWORDS = st.sampled_from(
    ["type", "$ref", "$defs", "items", "anyOf", "pattern", "properties", "enum", "$id", "not"]
)
WORDS = st.sampled_from(["#", "#/$defs/a", "object", "string", "[", "http://x/y", "a{2}"])
SCHEMAS = st.recursive(
    WORDS | JSON,
    lambda inner: st.dictionaries(KEYWORDS | st.just("a"), inner, max_size=4) | st.lists(inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(KEYWORDS, SCHEMAS, max_size=4))
def test_any_schema_is_taken_or_refused(schema):
    with suppress(RequestError):
        Allowance().check(schema, "schema")
        assert all(place for place, _ in subschemas(schema))


def test_a_reference_leads_to_its_schema():
    root = {"anyOf": [{"type": "null"}, True], "$defs": {"a/b": {"enum": [1]}}}
    assert resolve(root, "#") is root
    assert resolve(root, "#/anyOf/0") == {"type": "null"}
    assert resolve(root, "#/anyOf/1") is True
    assert resolve(root, "#/$defs/a~1b") == {"enum": [1]}
    for nowhere in ("#/anyOf/2", "#/anyOf/x", "#/none/none", "#/anyOf/0/type/x"):
        assert resolve(root, nowhere) is None


# ---------------------------------------------------------------- response_format

SCHEMA = {"type": "object"}


@pytest.mark.parametrize(
    ("asked", "form"),
    [
        (None, None),
        ({"type": "text"}, None),
        ({"type": "json_object"}, {"type": "json_object"}),
        (
            {"type": "json_object", "schema": SCHEMA},
            {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}},
        ),
        (
            {"type": "json_schema", "json_schema": {"schema": SCHEMA}},
            {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}},
        ),
        (
            {
                "type": "json_schema",
                "json_schema": {"name": "n", "schema": SCHEMA, "strict": True, "description": "d"},
            },
            {
                "type": "json_schema",
                "json_schema": {"name": "n", "schema": SCHEMA, "strict": True, "description": "d"},
            },
        ),
    ],
    ids=range(6),
)
def test_the_form_of_an_answer(asked, form):
    assert read_format(asked) == form


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({}, "type"),
        ({"type": "xml"}, "type"),
        ({"type": 5}, "type"),
        ({"type": "json_object", "schema": 5}, "schema"),
        ({"type": "json_schema"}, "json_schema"),
        ({"type": "json_schema", "json_schema": 5}, "json_schema"),
        ({"type": "json_schema", "json_schema": {"name": "a"}}, "json_schema.schema"),
        ({"type": "json_schema", "json_schema": {"name": "a b", "schema": {}}}, "json_schema.name"),
        ({"type": "json_schema", "json_schema": {"schema": {}, "strict": "yes"}}, "json_schema.strict"),
        ({"type": "json_schema", "json_schema": {"schema": {}, "shema": {}}}, "json_schema.shema"),
        ({"type": "json_schema", "json_schema": {"schema": {"type": "x"}}}, "json_schema.schema.type"),
    ],
    ids=range(11),
)
def test_a_malformed_form_is_named(asked, param):
    with pytest.raises(RequestError) as caught:
        read_format(asked)
    assert caught.value.param == f"response_format.{param}"


def test_what_may_be_left_out_of_an_object_is_bounded_and_what_is_always_there_is_not():
    schema = {"properties": {f"p{n}": {} for n in range(MAX_OPTIONAL + 1)}}
    with pytest.raises(RequestError) as caught:
        Allowance().check(schema, "schema")
    assert caught.value.param == "schema.properties"
    Allowance().check(schema | {"required": ["p0"]}, "schema")
