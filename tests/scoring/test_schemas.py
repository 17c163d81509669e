import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.errors import UsageError
from isthmus.scoring import score_schema
from isthmus.scoring.schemas import json_in

PERSON = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("answer", "right", "why"),
    [
        ('{"age": 5}', True, "as the schema says"),
        ('Here you are:\n```json\n{"age": 5}\n```\nAnything else?', True, "as the schema says"),
        ('It is {"age": 5}, I think.', True, "as the schema says"),
        ('{"age": "five"}', False, "['age']: "),
        ("{}", False, "required"),
        ("five", False, "there is no JSON in it"),
        ('{"age": 5', False, "there is no JSON in it"),
        ("[" * 100_000, False, "there is no JSON in it"),
        ("{" * 100_000, False, "there is no JSON in it"),
    ],
)
def test_the_json_in_an_answer(answer, right, why):
    verdict = score_schema(answer, PERSON)
    assert verdict.right is right
    assert why in verdict.why


def test_a_schema_that_is_none():
    with pytest.raises(UsageError, match="no JSON Schema"):
        score_schema("{}", {"type": "nonsense"})


@given(VALUES.filter(lambda value: isinstance(value, dict | list)), st.text("ab \n", max_size=10))
def test_a_value_is_found_among_words(value, words):
    found, text = next(json_in(f"{words}{json.dumps(value)}{words}"))
    assert found == value
    assert json.loads(text) == value
