import pytest

from isthmus.errors import RequestError
from isthmus.wire.ollama_models import NamedCall, human_count, parse_named, tagged


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (999, "999"),
        (33_000, "33K"),
        (494_032_768, "494.03M"),
        (22_000_000, "22M"),
        (7_615_616_512, "7.6B"),
        (20_000_000_000, "20B"),
        (1_026_408_000_000, "1026.4B"),
    ],
)
def test_parameters_are_counted_as_ollama_writes_them(count, text):
    assert human_count(count) == text


def test_every_name_has_a_tag():
    assert (tagged("mine"), tagged("mine:7b")) == ("mine:latest", "mine:7b")


def test_a_model_goes_by_either_parameter():
    assert parse_named(b'{"model": "a"}') == NamedCall("a", stream=True, ignored=())
    assert parse_named(b'{"name": "b", "stream": false}') == NamedCall("b", stream=False, ignored=())
    assert parse_named(b'{"model": "a", "name": "b", "insecure": true}') == NamedCall(
        "a", stream=True, ignored=("insecure",)
    )
    for body in (b"{}", b'{"model": ""}', b"[]", b'{"model": 7}'):
        with pytest.raises(RequestError):
            parse_named(body)
