import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.engines.json_scanner import ValueScanner

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, st.sampled_from([None, 2]), st.sampled_from([",", "}", "]", "\n"]), st.integers(1, 5))
def test_the_end_of_a_value_is_told_however_it_is_cut(value, indent, after, size):
    written = json.dumps(value, indent=indent)
    text = f" {written}{after} x"
    scanner = ValueScanner()
    for start in range(0, len(text), size):
        end = scanner.feed(text[start : start + size])
        if end is not None:
            assert text[: start + end] == f" {written}"
            return
    pytest.fail("the value has no end")


@pytest.mark.parametrize("text", ["", " ", "{", '"a', '"a\\"', "[[]", '{"a": "}"', "12"])
def test_a_value_that_goes_on_has_none(text):
    assert ValueScanner().feed(text) is None
