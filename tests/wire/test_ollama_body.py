import base64
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.errors import RequestError
from isthmus.wire.ollama_body import FOREVER_S, image_url, seconds, whole


def png() -> bytes:
    """A picture of one pixel."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    body = zlib.compress(b"\0\0")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("value", "time_s"),
    [
        (None, None),
        (0, 0.0),
        (300, 300.0),
        (1.5, 1.5),
        (-1, -1.0),
        (-0.5, -1.0),
        ("0", 0.0),
        ("300", 300.0),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("1.5h", 5400.0),
        (".5s", 0.5),
        ("500ms", 0.5),
        ("-1m", -1.0),
        ("24h", 86_400.0),
        (10**30, FOREVER_S),
        ("9999999999h", FOREVER_S),
    ],
)
def test_times_are_read_as_ollama_reads_them(value, time_s):
    assert seconds(value, "keep_alive") == time_s


@pytest.mark.parametrize(
    "value", ["", "soon", "5x", "m", "1e3", " 5m", "5m ", "--1", "1" * 50, "\N{FULLWIDTH DIGIT ONE}m"]
)
def test_what_is_no_time_is_refused(value):
    with pytest.raises(RequestError) as caught:
        seconds(value, "keep_alive")
    assert caught.value.param == "keep_alive"


@given(st.text(max_size=60) | st.from_regex(r"[+-]?[\d.smhµnu]{1,40}"))
def test_every_time_is_a_number_or_refused(text):
    try:
        time_s = seconds(text, "keep_alive")
    except RequestError:
        return
    assert time_s == -1 or 0 <= time_s <= FOREVER_S


@pytest.mark.parametrize(("value", "number"), [(None, None), (3, 3), (40.0, 40), (-1, -1), (0.0, 0)])
def test_whole_numbers_may_be_written_with_a_point(value, number):
    read = whole(value, "top_k")
    assert read == number
    assert not isinstance(read, float)


@pytest.mark.parametrize("value", [1.5, 2**31, -(2**31), 1e300, float("inf")])
def test_what_no_engine_can_count_is_refused(value):
    with pytest.raises(RequestError, match="top_k"):
        whole(value, "top_k")


def test_an_image_gets_the_address_that_says_its_kind():
    data = base64.b64encode(png()).decode()
    assert image_url(data, "images[0]") == f"data:image/png;base64,{data}"
    assert image_url(f"data:image/png;base64,{data}", "images[0]") == f"data:image/png;base64,{data}"


@pytest.mark.parametrize("data", ["", "!", "aGVsbG8gd29ybGQ=", "http://127.0.0.1/x.png", "/etc/passwd"])
def test_what_is_no_image_is_refused(data):
    with pytest.raises(RequestError) as caught:
        image_url(data, "images[0]")
    assert caught.value.param == "images[0]"
