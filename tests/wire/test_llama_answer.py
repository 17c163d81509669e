"""Answers in llama.cpp's own words."""

import json

import pytest

from isthmus.messages import (
    Decision,
    Finish,
    Notice,
    Route,
    TextDelta,
    Timings,
    TokenScore,
    TokenScores,
    Usage,
)
from isthmus.wire.gathered import Completion
from isthmus.wire.llama_answer import chosen, render_answer, render_end, render_piece
from isthmus.wire.llama_request import parse_completion

HOME = Route(Decision("local", "raw_prompt"), "tiny")
SCORE = TokenScore("Hi", -0.5, (TokenScore("Hi", -0.5, id=9), TokenScore("Ho", -1.5, id=8)), id=9)
SCORED = {
    "id": 9,
    "token": "Hi",
    "bytes": [72, 105],
    "logprob": -0.5,
    "top_logprobs": [
        {"id": 9, "token": "Hi", "bytes": [72, 105], "logprob": -0.5},
        {"id": 8, "token": "Ho", "bytes": [72, 111], "logprob": -1.5},
    ],
}


def call(**body):
    return parse_completion(json.dumps({"prompt": "a"} | body).encode()).of("a")


def gathered(*events):
    completion = Completion()
    for event in events:
        completion.add(event)
    return completion


def answer(finish, asked, *events):
    return render_answer(gathered(HOME, *events, finish), asked)


def test_a_whole_answer():
    finish = Finish("length", Usage(12, 3, cached_tokens=2), Timings(prompt_s=0.5, decode_s=0.25))
    told = answer(finish, call(n_predict=3, seed=1, logit_bias={"5": 1}), TextDelta("Hi\n"), TextDelta("!"))
    timings, remarks = told.pop("timings"), told.pop("isthmus")
    assert told == {
        "index": 0,
        "content": "Hi\n!",
        "tokens": [],
        "stop": True,
        "model": "tiny",
        "tokens_predicted": 3,
        "tokens_evaluated": 12,
        "tokens_cached": 15,
        "generation_settings": {
            "n_predict": 3,
            "max_tokens": 3,
            "stop": (),
            "stream": False,
            "n_probs": 0,
            "ignore_eos": False,
            "logit_bias": [{"token": 5, "bias": 1.0}],
            "seed": 1,
        },
        "prompt": "a",
        "has_new_line": True,
        "truncated": False,
        "stop_type": "limit",
        "stopping_word": "",
    }
    assert (timings["prompt_n"], timings["predicted_n"]) == (10, 3)
    assert remarks["reason"] == "raw_prompt"


@pytest.mark.parametrize(
    ("finish", "asked", "ending"),
    [
        (Finish("stop"), {}, ("eos", "", False)),
        (Finish("stop", stop_sequence="x"), {"stop": "x"}, ("word", "x", False)),
        (Finish("length"), {"n_predict": 2}, ("limit", "", False)),
        (Finish("length"), {}, ("limit", "", True)),  # nobody bounded it but the context
    ],
)
def test_why_it_ended(finish, asked, ending):
    told = answer(finish, call(**asked))
    assert (told["stop_type"], told["stopping_word"], told["truncated"]) == ending


def test_tokens_and_probabilities_are_told_where_they_are_asked():
    events = TokenScores((SCORE,)), TextDelta("Hi")
    assert "completion_probabilities" not in answer(Finish("stop"), call(), *events)
    told = answer(Finish("stop"), call(return_tokens=True), *events)
    assert (told["tokens"], "completion_probabilities" in told) == ([9], False)
    assert answer(Finish("stop"), call(n_probs=2), *events)["completion_probabilities"] == [SCORED]


def test_a_piece():
    piece = json.loads(render_piece("Hi", [SCORE], call(n_probs=2), 4))
    assert piece == {
        "index": 0,
        "content": "Hi",
        "tokens": [9],
        "stop": False,
        "tokens_predicted": 4,
        "completion_probabilities": [SCORED],
    }


def test_the_end_of_a_stream_repeats_nothing():
    ending = render_end(gathered(HOME, TextDelta("a\n"), Notice("n", "look"), Finish("stop")), call())
    assert (ending["content"], ending["has_new_line"]) == ("", True)
    assert ending["isthmus"]["notices"][0]["text"] == "look"


def test_fields_are_chosen_by_their_paths():
    whole = {"content": "a", "timings": {"prompt_n": 3}, "stop": True}
    assert chosen(whole, ()) == whole
    assert chosen(whole, ["timings/prompt_n", "content", "nothing/here", "content/x"]) == {
        "timings/prompt_n": 3,
        "content": "a",
    }
