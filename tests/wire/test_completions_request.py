"""Completions requests: what is read, and what is refused by name."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.errors import RequestError
from isthmus.messages import Message
from isthmus.wire.completions_request import DEFAULT_MAX_TOKENS, parse_completions


def parse(**body):
    return parse_completions(json.dumps(body).encode())


def test_every_parameter_arrives():
    call = parse(
        model="m",
        prompt="a",
        suffix="z",
        max_tokens=3,
        temperature=0.5,
        top_p=0.25,
        n=2,
        best_of=2,
        logprobs=4,
        stop=["x", "y"],
        presence_penalty=1,
        frequency_penalty=-1,
        logit_bias={"7": -100},
        seed=9,
        stream=True,
        stream_options={"include_usage": True},
        top_k=5,
        min_p=0.125,
        typical_p=0.75,
        repeat_penalty=1.5,
        repeat_last_n=64,
        isthmus={"handoff": "off"},
        user="me",
    )
    asked = call.request
    assert (call.model, call.suffix, call.stream, call.include_usage) == ("m", "z", True, True)
    assert (call.handoff, call.ignored, call.echo) == ("off", (), False)
    first = call.of("a").request
    assert (first.raw, first.messages) == ("a", (Message("user", "a"),))
    assert (asked.max_tokens, asked.temperature, asked.top_p, asked.n) == (3, 0.5, 0.25, 2)
    assert (asked.top_logprobs, asked.stop, asked.seed) == (4, ("x", "y"), 9)
    assert (asked.presence_penalty, asked.frequency_penalty, asked.logit_bias) == (1, -1, {"7": -100})
    assert (asked.top_k, asked.min_p, asked.typical_p) == (5, 0.125, 0.75)
    assert (asked.repeat_penalty, asked.repeat_last_n) == (1.5, 64)


def test_what_is_left_out_is_openais_default():
    call = parse(prompt="a")
    assert call.request.max_tokens == DEFAULT_MAX_TOKENS
    assert (call.request.n, call.request.top_logprobs, call.stream) == (1, None, False)


def test_a_length_has_llama_cpps_name_beside_openais():
    assert parse(prompt="a", n_predict=5).request.max_tokens == 5
    assert parse(prompt="a", n_predict=-1).request.max_tokens is None
    assert parse(prompt="a", n_predict=5, max_tokens=3).request.max_tokens == 3


def test_an_answer_may_have_a_form():
    assert parse(prompt="a", grammar='root ::= "a"').request.grammar == 'root ::= "a"'
    form = parse(prompt="a", json_schema={"const": "42"}).request.response_format
    assert form["json_schema"]["schema"] == {"const": "42"}
    assert parse(prompt="a", response_format={"type": "json_object"}).request.response_format


def test_tokens_and_texts_may_be_one_prompt():
    assert parse(prompt=[1, "a", 2]).prompts == ((1, "a", 2),)
    assert parse(prompt=["a", [1, "b"]]).prompts == ("a", (1, "b"))


texts = st.text(max_size=8)
tokens = st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=8)


@given(texts | tokens | st.lists(texts | tokens, min_size=1, max_size=8))
def test_a_prompt_is_a_text_texts_tokens_or_lists_of_them(prompt):
    call = parse(prompt=prompt)
    several = isinstance(prompt, list) and not all(isinstance(each, int) for each in prompt)
    expected = prompt if several else [prompt]
    assert [each if isinstance(each, str) else list(each) for each in call.prompts] == expected
    for raw in call.prompts:
        assert call.of(raw).request.raw == raw
        assert len(call.of(raw).request.messages) == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
names = st.sampled_from(
    ["prompt", "suffix", "n", "best_of", "logprobs", "echo", "stop", "max_tokens", "logit_bias", "isthmus"]
)


@given(st.dictionaries(names, json_values, max_size=5), st.booleans())
def test_whatever_comes_is_read_or_refused(body, sane):
    with suppress(RequestError):
        assert parse(**({"prompt": "a"} if sane else {}) | body).prompts


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"prompt": "\xff"}', b'{"prompt": "\\ud800"}'])
def test_what_is_no_request_is_refused(body):
    with pytest.raises(RequestError):
        parse_completions(body)
