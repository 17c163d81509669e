import logging

import pytest


@pytest.fixture(autouse=True)
def logging_as_it_was():
    """The command sends this process's log to a stream that ends with the test."""
    root, ours = logging.getLogger(), logging.getLogger("isthmus")
    handlers, level, our_level = root.handlers[:], root.level, ours.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    ours.setLevel(our_level)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--cors-origin", "app.example"), "'app.example' is not an origin"),
        (("--log-format", "xml"), "'xml' is not one of text, json"),
        (("--handoff", "perhaps"), "'perhaps' is not one of"),
    ],
)
def test_a_flag_that_does_not_fit_is_told_before_anything_starts(isthmus, words, said):
    ended = isthmus("serve", *words)
    assert (ended.code, ended.out) == (3, "")
    assert said in ended.err


def test_an_address_that_others_reach_needs_a_key_first(isthmus):
    ended = isthmus("serve", "--host", "0.0.0.0", "--port", "0")
    assert ended.code == 10
    assert "isthmus key create NAME" in ended.err
