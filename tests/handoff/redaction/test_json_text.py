import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.handoff.redaction.json_text import Place, View, is_json
from isthmus.handoff.redaction.spans import Span


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('{"a": 1}', True),
        (" [1, 2]\n", True),
        ("{}", True),
        ("1", False),
        ('"a"', False),
        ("{a: 1}", False),
        ('{"a": 1} and more', False),
        ("", False),
    ],
)
def test_what_is_json(text, answer):
    assert is_json(text) == answer


def test_escapes_are_read_and_places_are_found_in_the_raw_text():
    raw = '{"a": "x\\nm@x.org \\u00e8 \\ud83d\\ude00 y", "n": 4111}'
    view = View(raw)
    assert view.text == '{"a": "x\nm@x.org è 😀 y", "n": 4111}'
    for part, written, bare in (
        ("m@x.org", "m@x.org", False),
        ("è 😀 y", "\\u00e8 \\ud83d\\ude00 y", False),
        ("4111", "4111", True),
    ):
        start = view.text.index(part)
        (place,) = view.places([Span(start, start + len(part), "X")])
        assert (raw[place.start : place.end], place.bare) == (written, bare)


def test_what_goes_across_strings_is_cut_to_them():
    raw = '["ab", "cd", 12, true]'
    assert View(raw).places([Span(2, len(raw), "X")]) == [
        Place(2, 4, "X"),
        Place(8, 10, "X"),
        Place(13, 15, "X", bare=True),
    ]


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=4), max_leaves=8
    )
)
def test_the_view_says_what_the_text_means(value):
    raw = json.dumps([value])
    decoded = View(raw).text
    if not any(sign in decoded for sign in '\\"') and decoded.isprintable():
        assert json.loads(decoded) == [value]
