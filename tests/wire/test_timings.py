"""Timings in llama.cpp's words."""

import pytest

from isthmus.messages import Finish, Timings, Usage
from isthmus.wire.timings import render_timings

USAGE = Usage(prompt_tokens=30, completion_tokens=5, cached_tokens=10)


def test_tokens_are_told_with_their_times():
    finish = Finish("stop", USAGE, Timings(prompt_s=0.2, decode_s=0.5, total_s=9.0))
    assert render_timings(finish) == {
        "timings": {
            "cache_n": 10,
            "prompt_n": 20,
            "prompt_ms": 200.0,
            "prompt_per_token_ms": 10.0,
            "prompt_per_second": 100.0,
            "predicted_n": 5,
            "predicted_ms": 500.0,
            "predicted_per_token_ms": 100.0,
            "predicted_per_second": 10.0,
        }
    }


def test_the_engines_own_pace_counts():
    finish = Finish("stop", USAGE, Timings(prompt_s=0.2, decode_s=0.5, tokens_per_s=8.0))
    assert render_timings(finish)["timings"]["predicted_per_second"] == 8.0


def test_no_token_and_no_time_divide_nothing():
    timings = render_timings(Finish("stop", Usage(), Timings(prompt_s=0.0, decode_s=0.0)))["timings"]
    assert set(timings.values()) == {0}


@pytest.mark.parametrize(
    "finish",
    [
        Finish("stop"),
        Finish("stop", USAGE),
        Finish("stop", USAGE, Timings(first_token_s=0.1, total_s=1.0)),
        Finish("stop", None, Timings(prompt_s=0.2, decode_s=0.5)),
    ],
)
def test_what_the_engine_did_not_tell_is_not_made_up(finish):
    assert render_timings(finish) == {}
