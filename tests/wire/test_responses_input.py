import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.wire.responses_input import InputReader

TEXT = st.text(st.characters(codec="utf-8") | st.sampled_from('"\\\n\t/🦊\0ü'), max_size=30)


@settings(deadline=None)
@given(TEXT, st.booleans(), st.sampled_from(["", " ", "\n  "]), st.lists(st.integers(0, 200), max_size=8))
def test_however_it_is_cut_the_text_comes_out(text, ascii_only, space, cuts):
    written = f'{{{space}"input":{space}{json.dumps(text, ensure_ascii=ascii_only)}{space}}}'
    places = sorted({min(cut, len(written)) for cut in cuts} | {0, len(written)})
    reader = InputReader()
    pieces = [reader.feed(written[a:b]) for a, b in pairwise(places)]
    assert "".join(pieces) == text
    assert reader.opened
    for piece in pieces:
        piece.encode()  # no half of a character


def test_it_comes_as_it_is_written():
    reader = InputReader()
    pieces = ['{"inp', 'ut": "*** Be', "gin\\", "n\\u00", "fc\\ud83e", "\\udd8a", '"', "}"]
    assert [reader.feed(piece) for piece in pieces] == ["", "*** Be", "gin", "\n", "ü", "🦊", "", ""]


def test_a_line_break_may_stand_for_itself():
    assert InputReader().feed('{"input": "a\nb"}') == "a\nb"


@pytest.mark.parametrize("arguments", ["", "{}", '{"text": "x"}', "raw", '{"input": 1}', '["input"]'])
def test_what_has_another_form_is_left_to_others(arguments):
    reader = InputReader()
    assert (reader.feed(arguments), reader.opened) == ("", False)
