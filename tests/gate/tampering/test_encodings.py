import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.gate.tampering.encodings import CODES

TEXTS = st.text(st.characters(codec="utf-8"), max_size=200)


@pytest.mark.parametrize("name", ["rot13", "reversed"])
@given(text=TEXTS)
def test_what_is_encoded_comes_back(name, text):
    assert CODES[name].decode(CODES[name].encode(text)) == text


@given(st.text(st.characters(codec="utf-8"), min_size=6, max_size=200))
def test_base64_comes_back_where_it_is_long_enough_to_be_seen(text):
    assert CODES["base64"].decode(CODES["base64"].encode(text)) == text


@given(st.text(string.ascii_lowercase + string.punctuation + " 2689", max_size=100))
def test_leetspeak_comes_back_but_for_capitals_and_its_own_digits(text):
    assert CODES["leetspeak"].decode(CODES["leetspeak"].encode(text)) == text


def test_base64_is_found_among_words_and_read_as_far_as_it_goes():
    written = CODES["base64"].encode("the tide is high")
    assert "the tide is high" in CODES["base64"].decode(f"Of course: {written}. Bye!")
    assert CODES["base64"].decode(f"So: {written[:13]}").endswith("the tide ")
    assert CODES["base64"].decode("no such run") == ""
