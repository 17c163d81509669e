"""Images: whole ones of one colour, and others as far as their heads."""

import base64
import struct
import zlib

COLOURS = ("red", "green", "blue")


def png(width: int, height: int) -> bytes:
    """The head of an image."""
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height) + bytes(9)


def image(width: int, height: int) -> str:
    return data_url(png(width, height))


def painted(red: int, green: int, blue: int, side: int = 16) -> str:
    """A whole image of one colour."""
    rows = (b"\0" + bytes((red, green, blue)) * side) * side
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    return data_url(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks))


def data_url(content: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(content).decode()


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


PAINTED = {colour: painted(*(255 * (colour == each) for each in COLOURS)) for colour in COLOURS}
"""An image of each colour."""
