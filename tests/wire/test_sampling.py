"""The parameters that OpenAI's APIs share."""

import pytest

from isthmus.errors import RequestError
from isthmus.wire.sampling import (
    MAX_BIASES,
    MAX_STOP_LENGTH,
    MAX_STOPS,
    NEVER,
    read_biases,
    read_limit,
    read_stops,
)


@pytest.mark.parametrize(
    ("asked", "stops"),
    [
        (None, ()),
        ([], ()),
        ("x", ("x",)),
        (["x", "yz"], ("x", "yz")),
        (["x" * MAX_STOP_LENGTH] * MAX_STOPS,) * 2,
    ],
)
def test_stops_are_one_or_several(asked, stops):
    assert read_stops(asked) == tuple(stops)


@pytest.mark.parametrize("asked", ["", ["x", ""], ["x"] * (MAX_STOPS + 1), "x" * (MAX_STOP_LENGTH + 1)])
def test_stops_have_limits(asked):
    with pytest.raises(RequestError) as caught:
        read_stops(asked)
    assert caught.value.param == "stop"


def test_biases_go_by_tokens_numbers():
    assert read_biases(None) is None
    assert read_biases({"7": -100.0, "0": 1.5}) == {"7": -100.0, "0": 1.5}


def test_biases_come_in_pairs_too_and_false_is_never():
    assert read_biases([(7, -2.5), (8, False)]) == {"7": -2.5, "8": NEVER}
    assert read_biases({"7": False}) == {"7": NEVER}
    assert read_biases([]) == {}


@pytest.mark.parametrize(("predicted", "limit"), [(None, None), (-1, None), (1, 1)])
def test_a_prediction_may_be_without_bound(predicted, limit):
    assert read_limit(predicted) == limit


def test_a_prediction_of_nothing_is_refused():
    with pytest.raises(RequestError, match="no answer"):
        read_limit(0)


@pytest.mark.parametrize(
    "asked",
    [
        {"": 1},
        {"-1": 1},
        {"a": 1},
        {"²": 1},
        {"9" * 10: 1},
        {"7": True},
        [("7", 1)],
        [(-1, 1)],
        [(10**9, 1)],
        [(7, 1)] * (MAX_BIASES + 1),
        dict.fromkeys(map(str, range(MAX_BIASES + 1)), 1),
    ],
)
def test_biases_have_limits(asked):
    with pytest.raises(RequestError) as caught:
        read_biases(asked)
    assert caught.value.param == "logit_bias"
