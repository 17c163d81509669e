import base64
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from isthmus.errors import RequestError
from isthmus.wire.images import MAX_IMAGE_BYTES, check_image, pixel_size
from tests.wire.pictures import image, png

JPEG = (
    b"\xff\xd8\xff\xe0" + struct.pack(">H", 16) + bytes(14)
    + b"\xff\xff\xc0" + struct.pack(">HBHH", 11, 8, 30, 40) + bytes(6)
)  # fmt: skip
BMP = b"BM" + bytes(12) + struct.pack("<Iii", 40, 40, -30)
GIF = b"GIF89a" + struct.pack("<HH", 40, 30)
LOSSY = b"RIFF0000WEBPVP8 " + bytes(10) + struct.pack("<HH", 40, 30)
LOSSLESS = b"RIFF0000WEBPVP8L" + bytes(5) + struct.pack("<I", 39 | 29 << 14)
EXTENDED = b"RIFF0000WEBPVP8X" + bytes(8) + b"\x27\0\0\x1d\0\0"


@pytest.mark.parametrize("content", [png(40, 30), JPEG, BMP, GIF, LOSSY, LOSSLESS, EXTENDED], ids=range(7))
def test_the_size_is_read_from_the_head(content):
    assert pixel_size(content) == (40, 30)


@given(
    st.sampled_from([png(1, 1), JPEG, BMP, GIF, LOSSY, LOSSLESS, EXTENDED]),
    st.integers(0, 40),
    st.binary(max_size=9),
)
@example(JPEG, 21, b"")  # it ends in the byte that begins a marker
def test_a_cut_or_broken_image_has_a_size_or_none(content, length, rest):
    size = pixel_size(content[:length] + rest)
    assert size is None or len(size) == 2


@pytest.mark.parametrize("url", [image(1, 1), image(7_000, 7_000), "https://example.org/x.png"])
def test_images_that_are_taken(url):
    check_image(url, "p")


def data(content):
    return "data:image/png;base64," + base64.b64encode(content).decode()


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "expected"),
        ("file:///etc/passwd", "expected"),
        ("/etc/passwd", "expected"),
        ("data:text/html;base64,AA==", "expected"),
        ("data:image/png,abc", "expected"),
        ("data:image/png;base64,!!", "base64"),
        ("data:image/png;base64,é", "base64"),
        (data(b"hello"), "no PNG"),
        (image(50_000, 50_000), "pixels"),
        ("data:image/png;base64," + "A" * (MAX_IMAGE_BYTES * 4 // 3 + 4), "larger than 20 MiB"),
    ],
    ids=range(10),
)
def test_images_that_are_not(url, why):
    with pytest.raises(RequestError, match=why) as caught:
        check_image(url, "p")
    assert caught.value.param == "p"
