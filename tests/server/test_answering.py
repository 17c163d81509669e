"""What every answer says of itself in its headers."""

import pytest

from isthmus.server.answering import ignoring


def test_nothing_ignored_is_nothing_said():
    assert ignoring(()) == {}


@pytest.mark.parametrize(
    "name", ["a\r\nset-cookie: b=c", "\x00\x06\x7f", "\x85 \u2028", "h\u00e9llo", "\ud800", "a\tb", "\\r\\n"]
)
def test_no_name_of_a_parameter_can_write_a_header(name):
    (value,) = ignoring(("temprature", name)).values()
    assert value.startswith("temprature, ")
    assert value.isascii()
    assert value.isprintable()


def test_a_thousand_names_are_cut_short():
    (value,) = ignoring([f"parameter_{n}" for n in range(1000)]).values()
    assert len(value) == 1000
