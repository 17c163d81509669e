import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.errors import RequestError
from isthmus.wire.responses_summary import is_sealed, packed, unpacked


@given(st.text())
def test_a_summary_comes_back_as_it_went(summary):
    assert unpacked(packed(summary), "x") == summary


@pytest.mark.parametrize("content", ["", "gAAAAABpM0Yj", "isthmus-1.?", "isthmus-1.a", "isthmus-1._w==", "é"])
def test_what_was_made_elsewhere_can_not_be_read(content):
    with pytest.raises(RequestError, match="can't be read") as raised:
        unpacked(content, "input[0].encrypted_content")
    assert raised.value.param == "input[0].encrypted_content"


def test_a_summary_is_no_text_of_the_conversation():
    assert "secret" not in packed("secret")


@given(st.text())
def test_a_summary_that_stays_home_says_so_in_itself(summary):
    content = packed(summary, home_only=True)
    assert is_sealed(content)
    assert unpacked(content, "input") == summary
    assert not is_sealed(packed(summary))
