"""Embeddings requests and answers."""

import json
import math
import struct
from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.errors import RequestError
from isthmus.messages import Embeddings
from isthmus.wire.embeddings import parse_embeddings, render_embeddings, to_base64


def parse(**body):
    return parse_embeddings(json.dumps(body).encode())


numbers = st.floats(-1, 1, width=32)


@given(st.lists(numbers, max_size=16))
def test_base64_gives_the_numbers_back(vector):
    raw = b64decode(to_base64(tuple(vector)))
    assert list(struct.unpack(f"<{len(vector)}f", raw)) == vector


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=4))
def test_both_encodings_say_the_same_in_order(vectors):
    made = Embeddings(tuple(vectors), 7)
    plain = json.loads(render_embeddings(made, "m", parse(input="a")))
    packed = json.loads(render_embeddings(made, "m", parse(input="a", encoding_format="base64")))
    assert [each["index"] for each in plain["data"]] == list(range(len(vectors)))
    for one, other in zip(plain["data"], packed["data"], strict=True):
        assert list(struct.unpack("<2f", b64decode(other["embedding"]))) == one["embedding"]
    assert plain["usage"] == {"prompt_tokens": 7, "total_tokens": 7}


@pytest.mark.parametrize(
    "body", [{"input": 1}, {"input": ""}, {"input": [""]}, {"input": [[-1]]}, {"input": [1, "a"]}, {}]
)
def test_what_is_no_text_is_refused(body):
    with pytest.raises(RequestError) as caught:
        parse(**body)
    assert caught.value.param.startswith("input")


@given(
    st.text(min_size=1) | st.lists(st.integers(0, 9), min_size=1) | st.lists(st.text(min_size=1), min_size=1)
)
def test_texts_arrive(given_texts):
    texts = parse(input=given_texts).texts
    assert all(texts)
    if isinstance(given_texts, str):
        assert texts == (given_texts,)


def test_other_dimensions_are_refused_with_the_models_own():
    made = Embeddings(((math.sqrt(0.5), math.sqrt(0.5)),), 1)
    render_embeddings(made, "m", parse(input="a", dimensions=2))
    with pytest.raises(RequestError, match="have 2") as caught:
        render_embeddings(made, "m", parse(input="a", dimensions=1))
    assert caught.value.param == "dimensions"
