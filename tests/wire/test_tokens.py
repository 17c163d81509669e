"""Tokenizing requests and answers, in two servers' words."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.errors import RequestError
from isthmus.wire.tokens import Tokenized, parse_detokenize, parse_tokenize, tokenized


def parse(**body):
    return parse_tokenize(json.dumps(body).encode())


def test_llama_cpps_defaults():
    call = parse(content="a")
    assert (call.text, call.special, call.add_special, call.pieces, call.counted) == (
        "a",
        True,
        False,
        False,
        False,
    )


def test_vllms_defaults():
    call = parse(prompt="a")
    assert (call.text, call.special, call.add_special, call.pieces, call.counted) == (
        "a",
        True,
        True,
        False,
        True,
    )


@pytest.mark.parametrize("body", [{}, {"content": "a", "messages": []}, {"content": "", "prompt": ""}])
def test_one_text_is_cut_at_a_time(body):
    with pytest.raises(RequestError, match="one of content, prompt and messages"):
        parse(**body)


@given(st.text())
def test_pieces_say_bytes_where_text_cant(text):
    tokens = list(text.encode())
    pieces = [bytes([each]) for each in tokens]
    answer = tokenized(parse(content=text, with_pieces=True), tokens, pieces, None)
    back = b"".join(
        each.piece.encode() if isinstance(each.piece, str) else bytes(each.piece) for each in answer.tokens
    )
    assert back == text.encode()


def test_only_vllm_is_told_counts():
    assert tokenized(parse(content="a"), [1], None, 9) == Tokenized([1])
    assert tokenized(parse(prompt="a"), [1], None, 9) == Tokenized([1], 1, 9)
    strings = tokenized(parse(prompt="a", return_token_strs=True), [1], [b"\xff"], 9).token_strs
    assert strings == ["\N{REPLACEMENT CHARACTER}"]


def test_tokens_to_be_put_together():
    asked, ignored = parse_detokenize(b'{"tokens": [1, 2], "model": "m", "x": 1}')
    assert (asked.tokens, asked.model, ignored) == ([1, 2], "m", ("x",))
    with pytest.raises(RequestError):
        parse_detokenize(b'{"tokens": [1.5]}')
