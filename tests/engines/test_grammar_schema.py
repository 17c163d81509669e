import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.engines.grammar_schema import keep
from isthmus.errors import RequestError
from isthmus.wire.schemas import Allowance


def prop(**schema):
    return {"type": "object", "properties": {"a": schema}, "required": ["a"]}


ANY = r"[^\x22\x5C\x00-\x1F]"
SEVEN = "http://json-schema.org/draft-07/schema#"
KEPT = [
    {"type": "object", "properties": {}, "additionalProperties": False},
    prop(type="string", minLength=1, maxLength=20),
    prop(type="string", format="date-time"),
    prop(type="integer", minimum=1, exclusiveMaximum=9),
    prop(type="array", items={"type": "boolean"}, minItems=1, maxItems=3),
    prop(type=["string", "null"]),
    prop(enum=["a", 1, None]),
    prop(const={"x": 1}),
    prop(anyOf=[{"type": "string"}, {"type": "null"}], title="A", default=None),
    {"$ref": "#/$defs/n", "$defs": {"n": prop(type="null")}},
    {"type": "object", "additionalProperties": {"type": "integer"}},
]


@pytest.mark.parametrize("schema", KEPT, ids=range(len(KEPT)))
def test_what_the_engine_enforces_stays_as_it_is(schema):
    kept = keep(schema)
    assert kept.schema == schema
    assert kept.lost == ()


@pytest.mark.parametrize(
    ("schema", "lost"),
    [
        (prop(type="number", minimum=0, maximum=1), ("properties.a.minimum", "properties.a.maximum")),
        (prop(type="integer", multipleOf=5), ("properties.a.multipleOf",)),
        (prop(type="string", pattern="^(?=a)b$"), ("properties.a.pattern",)),
        (prop(type="string", pattern="^a$", minLength=1), ("properties.a.minLength",)),
        (prop(type="string", maxLength=5_000), ("properties.a.maxLength",)),
        (prop(type="array", uniqueItems=True), ("properties.a.uniqueItems",)),
        ({"not": {}, "if": {}, "then": {}, "minProperties": 1}, ("not", "if", "then", "minProperties")),
        ({"patternProperties": {"^a": {}}}, ("patternProperties",)),
        (prop(anyOf=[{"type": "string"}], pattern="a"), ("properties.a.pattern",)),
        (prop(**{"$ref": "#/$defs/x", "maxLength": 5}) | {"$defs": {"x": {}}}, ("properties.a.maxLength",)),
        ({"type": "object", "properties": {"a": False}, "required": ["a"]}, ("properties.a.false",)),
        ({"type": "object", "required": ["z"], "additionalProperties": False}, ("required",)),
        ({"allOf": [{"type": "string"}, {"not": {}}]}, ("allOf[0].allOf", "allOf[1].not")),
    ],
    ids=range(13),
)
def test_what_it_does_not_is_named(schema, lost):
    kept = keep(schema)
    assert set(lost) <= set(kept.lost)
    assert keep(kept.schema).lost == ()


@pytest.mark.parametrize(
    ("schema", "kept"),
    [
        (prop(type="string", pattern="b"), prop(type="string", pattern=f"^{ANY}*(b){ANY}*$")),
        (
            {"type": "object", "properties": {"a": True, "b": False}},
            {"type": "object", "properties": {"a": {}}},
        ),
        (prop(type="integer", minimum=2.0), prop(type="integer", minimum=2)),
        (
            {"$schema": SEVEN, "items": [{"type": "null"}], "additionalItems": False},
            {"type": "array", "prefixItems": [{"type": "null"}]},
        ),
        ({"allOf": [{"$ref": "#/$defs/x"}], "$defs": {"x": {}}}, {"$ref": "#/$defs/x", "$defs": {"x": {}}}),
        (
            {"type": "string", "anyOf": [{"pattern": "^a$"}]},
            {"anyOf": [{"type": "string", "pattern": "^a$"}]},
        ),
    ],
    ids=range(6),
)
def test_what_means_the_same_is_said_in_the_engines_words(schema, kept):
    assert keep(schema).schema == kept
    assert keep(schema).lost == ()


def test_allof_is_merged():
    schema = {
        "allOf": [{"$ref": "#/$defs/x"}, {"properties": {"b": {"type": "null"}}}],
        "$defs": {"x": prop(type="string")},
    }
    kept = keep(schema)
    assert kept.lost == ()
    assert list(kept.schema["properties"]) == ["a", "b"]
    assert kept.schema["required"] == ["a"]


def test_a_schema_that_contains_itself_has_a_name_to_refer_to():
    schema = prop(anyOf=[{"$ref": "#"}, {"type": "null"}])
    kept = keep(schema).schema
    assert kept["$ref"] == "#/$defs/whole"
    assert kept["$defs"]["whole"]["properties"]["a"]["anyOf"][0] == {"$ref": "#/$defs/whole"}


def test_references_follow_the_schema_to_its_new_place():
    kept = keep(prop(**{"$ref": "#/$defs/x"}) | {"$defs": {"x": {}}}, "#/$defs/tool").schema
    assert kept["properties"]["a"] == {"$ref": "#/$defs/tool/$defs/x"}


def test_references_that_multiply_are_bounded():
    defs = {
        f"d{n}": {
            "properties": {
                name: {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}, {"type": "object"}]} for name in "abcdefgh"
            }
        }
        for n in range(9)
    } | {"d9": {}}
    schema = {"allOf": [{"$ref": "#/$defs/d0"}, {"type": "object"}], "$defs": defs}
    Allowance().check(schema, "schema")
    with pytest.raises(RequestError, match="grows to more than"):
        keep(schema)


def test_one_that_merges_itself_comes_to_an_end():
    inner = {"properties": {"x": {"allOf": [{"$ref": "#/$defs/a"}, {"type": "object"}]}}}
    kept = keep({"$ref": "#/$defs/a", "$defs": {"a": inner}})
    assert any(each.endswith("allOf") for each in kept.lost)


NODES = st.recursive(
    st.booleans()
    | st.sampled_from([{}, {"type": "string"}, {"type": "integer", "minimum": 1}, {"enum": [1]}]),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["object", "array", ["string", "null"]]),
            "properties": st.dictionaries(st.text("ab]é", max_size=3), inner, max_size=3),
            "required": st.lists(st.sampled_from(["a", "b"]), unique=True),
            "additionalProperties": inner,
            "items": inner,
            "prefixItems": st.lists(inner, min_size=1, max_size=2),
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "allOf": st.lists(inner, min_size=1, max_size=2),
            "pattern": st.just("^a+$"),
            "not": inner,
        },
    ),
    max_leaves=8,
)


@given(NODES)
def test_what_is_kept_is_kept_again(schema):
    if isinstance(schema, dict):
        Allowance().check(schema, "schema")
        kept = keep(schema).schema
        assert keep(kept).schema == kept
        assert keep(kept).lost == ()
