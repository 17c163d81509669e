"""Images that people send: where they may come from, and how large they may be.

Nothing is fetched: an address is passed on to a hosted model, which may, and never followed from here. What
comes along as a data: URL is looked at just far enough to know that it won't fill the memory when decoded.
"""

import binascii
import re
import struct

from isthmus.errors import RequestError

MAX_IMAGES = 100
"""Images of one request: each takes hundreds of tokens of a context."""
MAX_IMAGE_BYTES = 20 * 2**20
"""Bytes of one image, as at OpenAI."""
MAX_PIXELS = 50_000_000
"""Pixels of one image: a decoder takes 3 to 12 bytes for each, however few the file has."""

_DATA = re.compile(r"data:image/(?P<kind>[a-z0-9.+-]{1,20});base64,", re.IGNORECASE)
_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""The markers of frames, which say how large the picture is."""


def check_image(url: str, param: str) -> None:
    """Look at an image's address, and at the image if it is in there.

    Raises:
        RequestError: It is neither a web address nor an image within the limits.
    """
    if url.startswith(("https://", "http://")):
        return
    if not (head := _DATA.match(url)):
        raise RequestError(
            f"{param}: expected a data:image/...;base64, URL or a web address, not {url[:40]!r}", param=param
        )
    if (len(url) - head.end()) * 3 // 4 > MAX_IMAGE_BYTES:
        raise RequestError(f"{param}: the image is larger than {MAX_IMAGE_BYTES // 2**20} MiB", param=param)
    try:
        content = binascii.a2b_base64(url[head.end() :].encode("ascii"), strict_mode=True)
    except ValueError as error:
        raise RequestError(f"{param}: the image is not valid base64", param=param) from error
    size = pixel_size(content)
    if size is None:
        raise RequestError(f"{param}: the bytes are no PNG, JPEG, GIF, WebP or BMP image", param=param)
    width, height = size
    if width * height > MAX_PIXELS:
        raise RequestError(
            f"{param}: the image has {width} x {height} pixels, and at most {MAX_PIXELS:,} are taken",
            param=param,
        )


def pixel_size(content: bytes) -> tuple[int, int] | None:
    """Width and height as an image's head says them; None for what isn't an image of a known kind."""
    try:
        if content.startswith(b"\x89PNG\r\n\x1a\n"):
            return _pair(">II", content, 16)
        if content.startswith((b"GIF87a", b"GIF89a")):
            return _pair("<HH", content, 6)
        if content.startswith(b"BM"):
            width, height = _pair("<ii", content, 18)
            return abs(width), abs(height)  # a negative height says that its lines run downwards
        if content.startswith(b"\xff\xd8"):
            return _jpeg(content)
        if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
            return _webp(content)
    except struct.error:
        return None
    return None


def _pair(layout: str, content: bytes, offset: int) -> tuple[int, int]:
    first, second = struct.unpack_from(layout, content, offset)
    return first, second


def _jpeg(content: bytes) -> tuple[int, int] | None:
    """Skip from segment to segment, up to the one that begins the frame."""
    offset = 2
    while content[offset : offset + 1] == b"\xff" and offset + 1 < len(content):
        marker = content[offset + 1]
        if marker in _JPEG_SIZES:
            height, width = _pair(">HH", content, offset + 5)
            return width, height
        if marker == 0xFF:  # a byte that only fills
            offset += 1
            continue
        (length,) = struct.unpack_from(">H", content, offset + 2)
        offset += 2 + length
    return None


def _webp(content: bytes) -> tuple[int, int] | None:
    match content[12:16]:
        case b"VP8X":
            wide, high = content[24:27], content[27:30]
            return int.from_bytes(wide, "little") + 1, int.from_bytes(high, "little") + 1
        case b"VP8L":
            (bits,) = struct.unpack_from("<I", content, 21)
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            width, height = _pair("<HH", content, 26)
            return width & 0x3FFF, height & 0x3FFF
        case _:
            return None
