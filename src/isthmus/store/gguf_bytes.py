"""Reading the bytes of a GGUF's header: numbers, strings, arrays and keys, none of which is trusted.

No length or count in the file makes the reader hold more than `HEADER_LIMIT_BYTES`, and every contradiction
is `InvalidWeights`. `isthmus.store.gguf` has the layout and what it means.
"""

import struct
from io import FileIO
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct

from isthmus.errors import InvalidWeights

HEADER_LIMIT_BYTES = 64 << 20
"""The largest header that is read: a vocabulary of a million tokens fits."""
MAX_KEY_BYTES = 65_535
MAX_KEPT_ELEMENTS = 1024
"""The longest array whose numbers are kept: they say something of each layer, and llama.cpp takes 512."""

PULL_HINT = "isthmus pull NAME fetches one that is whole"
_READ_BYTES = 1 << 20

Number: TypeAlias = int | float | bool


class Strings(Struct, frozen=True):
    """An array of strings (a vocabulary, merges): how many it had. They themselves are passed over."""

    count: int


Value: TypeAlias = Number | str | tuple[Number, ...] | Strings


class HeaderReader:
    """The beginning of a file, read as far as it is needed, with a position that moves through it."""

    def __init__(self, file: FileIO, path: Path) -> None:
        self.path = path
        self.position = 0
        self.file_bytes = file.seek(0, 2)
        self.bytes = bytearray()
        self._file = file
        file.seek(0)

    def damaged(self, what: str) -> InvalidWeights:
        """The error for a header that contradicts itself."""
        return InvalidWeights(f"{self.path} has a damaged header: {what}", hint=PULL_HINT)

    def reach(self, end: int) -> None:
        """Hold the bytes up to ``end``."""
        if end > HEADER_LIMIT_BYTES:
            raise self.damaged(f"it claims to be longer than {HEADER_LIMIT_BYTES:,} bytes")
        while len(self.bytes) < end:
            piece = self._file.read(max(_READ_BYTES, end - len(self.bytes)))
            if not piece:
                raise InvalidWeights(
                    f"{self.path} is cut short: its {self.file_bytes:,} bytes end inside its header",
                    hint=PULL_HINT,
                )
            self.bytes += piece

    def skip(self, length: int) -> int:
        """Move past ``length`` bytes; gives where they begin."""
        start = self.position
        self.reach(start + length)
        self.position = start + length
        return start

    def scalar(self, layout: struct.Struct) -> Number:
        """The next number."""
        return layout.unpack_from(self.bytes, self.skip(layout.size))[0]

    def u32(self) -> int:
        """The next 32-bit count or type."""
        return int(self.scalar(_U32))

    def u64(self) -> int:
        """The next 64-bit length or offset."""
        return int(self.scalar(_U64))

    def count(self, limit: int, what: str) -> int:
        """The next 64-bit count of things, none of which a sane file has too many of."""
        count = self.u64()
        if count > limit:
            raise self.damaged(f"it claims to hold {count:,} {what}")
        return count

    def string(self, limit: int = HEADER_LIMIT_BYTES) -> str:
        """The next string. What isn't UTF-8 in it is replaced: no key or value that matters has any."""
        length = self.u64()
        if length > limit:
            raise self.damaged(f"it holds a string of {length:,} bytes")
        start = self.skip(length)
        return self.bytes[start : start + length].decode("utf-8", "replace")

    def metadata(self, count: int) -> dict[str, Value]:
        """The next ``count`` keys with their values: arrays as far as they are kept."""
        metadata: dict[str, Value] = {}
        for _ in range(count):
            key, kind = self.string(MAX_KEY_BYTES), self.u32()
            if kind == _STRING:
                metadata[key] = self.string()
            elif kind == _ARRAY:
                metadata[key] = self._array(key)
            elif kind in _SCALARS:
                metadata[key] = self.scalar(_SCALARS[kind])
            else:
                raise self.damaged(f"{key[:80]!r} has a value of unknown type {kind}")
        return metadata

    def _array(self, key: str) -> tuple[Number, ...] | Strings:
        kind, count = self.u32(), self.u64()
        if kind == _STRING:
            self._skip_strings(count)
            return Strings(count)
        if kind not in _SCALARS:  # llama.cpp has no arrays of arrays either
            raise self.damaged(f"{key[:80]!r} is an array of unknown type {kind}")
        layout = _SCALARS[kind]
        start = self.skip(count * layout.size)
        kept = memoryview(self.bytes)[start : start + min(count, MAX_KEPT_ELEMENTS) * layout.size]
        try:
            return tuple(number for (number,) in layout.iter_unpack(kept))
        finally:
            kept.release()  # or the bytes could grow no more

    def _skip_strings(self, count: int) -> None:
        """Move past an array of strings. A vocabulary has hundreds of thousands, so this loop is tight."""
        if count > HEADER_LIMIT_BYTES // 8:
            raise self.damaged(f"it holds an array of {count:,} strings")
        data, position, unpack = self.bytes, self.position, _U64.unpack_from
        held = len(data)
        for _ in range(count):
            if position + 8 > held:
                self.reach(position + 8)
                held = len(data)
            position += 8 + unpack(data, position)[0]
        self.reach(position)
        self.position = position


_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")
_STRING, _ARRAY = 8, 9
_SCALARS = {
    number: struct.Struct("<" + layout)
    for number, layout in enumerate(("B", "b", "H", "h", "I", "i", "f", "?", "", "", "Q", "q", "d"))
    if layout
}
