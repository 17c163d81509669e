"""Requests in llama.cpp's own words."""

import json

import pytest

from isthmus.errors import RequestError
from isthmus.messages import Message
from isthmus.wire.llama_request import MAX_EXTRA, ExtraFile, parse_completion, parse_infill


def parse(**body):
    return parse_completion(json.dumps({"prompt": "a"} | body).encode())


def test_every_parameter_arrives():
    call = parse(
        prompt="Say",
        model="m",
        n_predict=5,
        temperature=0.5,
        top_k=3,
        top_p=0.5,
        min_p=0.25,
        typical_p=0.75,
        seed=7,
        stop="x",
        presence_penalty=1,
        frequency_penalty=-1,
        repeat_penalty=1.5,
        repeat_last_n=-1,
        logit_bias=[[15, False], [7, -2.5]],
        ignore_eos=True,
        n_probs=3,
        return_tokens=True,
        response_fields=["content"],
        stream=True,
        isthmus={"handoff": "off"},
    )
    asked = call.of("Say").request
    assert (call.model, call.stream, call.handoff, call.several) == ("m", True, "off", False)
    assert (call.return_tokens, call.probs, call.fields, call.ignored) == (True, 3, ("content",), ())
    assert (asked.raw, asked.messages, asked.max_tokens, asked.stop) == (
        "Say",
        (Message("user", "Say"),),
        5,
        ("x",),
    )
    assert (asked.temperature, asked.top_k, asked.top_p, asked.min_p, asked.typical_p) == (
        0.5,
        3,
        0.5,
        0.25,
        0.75,
    )
    assert (asked.seed, asked.presence_penalty, asked.frequency_penalty) == (7, 1, -1)
    assert (asked.repeat_penalty, asked.repeat_last_n, asked.ignore_eos) == (1.5, -1, True)
    assert (asked.logit_bias, asked.top_logprobs) == ({"15": -100.0, "7": -2.5}, 3)


def test_what_is_left_out_is_llama_cpps_default():
    asked = parse().request
    assert (asked.max_tokens, asked.seed, asked.top_logprobs, asked.ignore_eos) == (None, None, None, False)


@pytest.mark.parametrize(
    ("given", "limit"),
    [({"n_predict": -1}, None), ({"max_tokens": 4}, 4), ({"n_predict": -1, "max_tokens": 4}, None)],
)
def test_a_length_goes_by_two_names(given, limit):
    assert parse(**given).request.max_tokens == limit


def test_minus_one_is_any_seed():
    assert parse(seed=-1).request.seed is None


def test_numbers_of_tokens_come_with_their_probabilities():
    call = parse(return_tokens=True)
    assert (call.request.top_logprobs, call.probs) == (0, 0)


@pytest.mark.parametrize(
    ("prompt", "prompts", "several"),
    [
        ("a", ("a",), False),
        ([1, 2], ((1, 2),), False),
        ([1, "a", 2], ((1, "a", 2),), False),
        (["a"], ("a",), True),
        (["a", [1, 2]], ("a", (1, 2)), True),
        ([[1], [2, "b"]], ((1,), (2, "b")), True),
    ],
)
def test_a_prompt_is_text_tokens_or_both_and_a_list_has_several(prompt, prompts, several):
    call = parse(prompt=prompt)
    assert (call.prompts, call.several) == (prompts, several)


def test_forms_are_read():
    assert parse(grammar='root ::= "a"').request.grammar == 'root ::= "a"'
    assert parse(json_schema={"const": "42"}).request.response_format["type"] == "json_schema"


def test_slots_and_their_cache_are_not_the_callers():
    assert parse(cache_prompt=False, id_slot=0, samplers=["top_k"]).ignored == ("samplers",)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"prompt": None}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": [1, [2]]}, "prompt"),
        ({"prompt": ["a", "b"], "stream": True}, "prompt"),
        ({"n_predict": 0}, "n_predict"),
        ({"n_predict": -2}, "n_predict"),
        ({"n_probs": 101}, "n_probs"),
        ({"n_cmpl": 2}, "n_cmpl"),
        ({"post_sampling_probs": True}, "post_sampling_probs"),
        ({"lora": [{"id": 0, "scale": 0.5}]}, "lora"),
        ({"grammar": "a"}, "grammar"),
        ({"grammar": 'root ::= "a"', "json_schema": {}}, "grammar"),
        ({"json_schema": {"type": 7}}, "json_schema.type"),
        ({"logit_bias": [["Hello", 1]]}, "logit_bias"),
    ],
)
def test_what_is_not_done_here_is_named(body, param):
    with pytest.raises(RequestError) as caught:
        parse(**body)
    assert caught.value.param == param


def gap(**body):
    return parse_infill(json.dumps(body).encode())


def test_a_gap_begins_with_its_prompt():
    call, around = gap(input_prefix="a", prompt="b", input_suffix="c", n_predict=3, input_extra=[])
    assert (around.before, around.after, around.extra) == ("ab", "c", ())
    assert call.request.max_tokens == 3


def test_other_files_come_with_it():
    _, around = gap(input_extra=[{"filename": "x.h", "text": "int x;"}, {"text": "y"}])
    assert around.extra == (ExtraFile("int x;", "x.h"), ExtraFile("y"))


@pytest.mark.parametrize(
    "extra",
    [
        [{}],
        [{"filename": "ok"}],
        [{"filename": 1, "text": "a"}],
        [{"text": 4}],
        [{"text": "a"}] * (MAX_EXTRA + 1),
    ],
)
def test_other_files_have_texts(extra):
    with pytest.raises(RequestError) as caught:
        gap(input_extra=extra)
    assert caught.value.param.startswith("input_extra")
