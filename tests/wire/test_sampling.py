"""The parameters that OpenAI's APIs share."""

import pytest

from isthmus.errors import RequestError
from isthmus.wire.sampling import MAX_BIASES, MAX_STOP_LENGTH, MAX_STOPS, read_biases, read_stops


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


@pytest.mark.parametrize(
    "asked",
    [
        {"": 1},
        {"-1": 1},
        {"a": 1},
        {"²": 1},
        {"9" * 10: 1},
        dict.fromkeys(map(str, range(MAX_BIASES + 1)), 1),
    ],
)
def test_biases_have_limits(asked):
    with pytest.raises(RequestError) as caught:
        read_biases(asked)
    assert caught.value.param == "logit_bias"
