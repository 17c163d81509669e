"""Writing a question so that whoever looks only for words doesn't see it, and reading such writing."""

import base64
import binascii
import codecs
import re
from collections.abc import Callable
from typing import Literal, TypeAlias, get_args

from msgspec import Struct

Encoding: TypeAlias = Literal["base64", "rot13", "leetspeak", "reversed"]
ENCODINGS: tuple[Encoding, ...] = get_args(Encoding)

_LEET = str.maketrans("aeiost", "431057")
_UNLEET = str.maketrans("431057", "aeiost")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{8,}={0,2}")


class Code(Struct, frozen=True):
    """An encoding: what it is called in a request, how it is written, and how it is read.

    ``decode`` undoes ``encode``; of leetspeak, that of lower-case texts without the digits that it uses.
    """

    name: str
    encode: Callable[[str], str]
    decode: Callable[[str], str]


def _to_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")


def _from_base64(text: str) -> str:
    """What the runs of Base64 in a text stand for; they may lie among other words."""
    return " ".join(filter(None, map(_run, _BASE64.findall(text))))


def _run(found: str) -> str:
    whole = found.rstrip("=")
    whole = whole[: len(whole) - (len(whole) % 4 == 1)]  # a run that was cut off in the middle
    try:
        return base64.b64decode(whole + "=" * (-len(whole) % 4)).decode("utf-8", "replace")
    except binascii.Error:
        return ""


CODES: dict[Encoding, Code] = {
    "base64": Code("Base64", _to_base64, _from_base64),
    "rot13": Code(
        "ROT13", lambda text: codecs.encode(text, "rot13"), lambda text: codecs.decode(text, "rot13")
    ),
    "leetspeak": Code(
        "leetspeak", lambda text: text.lower().translate(_LEET), lambda text: text.translate(_UNLEET)
    ),
    "reversed": Code("text written backwards", lambda text: text[::-1], lambda text: text[::-1]),
}
