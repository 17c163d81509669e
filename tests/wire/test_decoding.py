from contextlib import suppress
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from isthmus.errors import RequestError
from isthmus.wire.decoding import BodyDecoder


class Inner(Struct):
    word: Literal["yes", "no"] = "yes"


class Closed(Struct, forbid_unknown_fields=True):
    pass


class Shape(Struct):
    needed: int
    inner: list[Inner] = []
    small: Annotated[int, Meta(le=9)] = 0
    closed: Closed | None = None


DECODER = BodyDecoder(Shape, {"word": Literal["yes", "no"]})


def test_a_body_becomes_its_shape_and_what_it_has_beside_is_named():
    body = b'{"needed": 1, "zoo": 2, "apple": [3]}'
    assert DECODER.decode(body) == Shape(1)
    assert DECODER.unknown(body) == ("apple", "zoo")


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        (b"{}", "needed", "needed is required"),
        (b'{"needed": "x"}', "needed", "needed: expected `int`, got `str`"),
        (b'{"needed": 1, "small": 10}', "small", "small: expected `int` <= 9"),
        (b'{"needed": 1, "inner": [{"word": "maybe"}]}', "inner[0].word", "'maybe' is not one of yes, no"),
        (b'{"needed": 1, "closed": {"x": 1}}', "closed.x", "closed.x is not a parameter"),
        (b"[]", None, "the body: expected `object`"),
        (b"{", None, "not valid JSON"),
        (b"\xff", None, "not valid JSON"),
        (b'{"needed": 1, "deep": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", None, "not valid JSON"),
    ],
)
def test_what_does_not_fit_is_named(body, param, words):
    with pytest.raises(RequestError) as caught:
        DECODER.decode(body)
    if param != "inner[0].word":  # msgspec doesn't say which element it was
        assert caught.value.param == param
    assert words in caught.value.message


@given(st.binary(max_size=60))
def test_no_body_is_worse_than_a_bad_request(body):
    with suppress(RequestError):
        DECODER.decode(body)
        DECODER.unknown(body)
