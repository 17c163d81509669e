"""Reading the header of a GGUF file: what the weights are, and whether all of them are there.

A file is laid out as (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, little-endian)

    "GGUF"  version u32  tensors u64  keys u64
    for each key:     name string, type u32, value (general.architecture, tokenizer.chat_template, ...)
    for each tensor:  name string, n u32, n sizes u64, type u32, offset u64
    padding to general.alignment, then the tensors' bytes; offsets count from here

where a string is its length (u64) and its bytes, and an array its elements' type (u32), their count (u64)
and the elements. A file comes from anywhere, so nothing it says of itself is trusted: no length, count or
offset makes the reader hold more than `HEADER_LIMIT_BYTES`, and every contradiction is `InvalidWeights`.
"""

import math
import struct
from io import FileIO
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct

from isthmus.errors import InvalidWeights, ModelError, UnknownModel
from isthmus.store.disk import storage_errors
from isthmus.store.quantization import FILE_TYPES, TENSOR_TYPES

HEADER_LIMIT_BYTES = 64 << 20
"""The largest header that is read: a vocabulary of a million tokens fits."""
MAX_KEYS = 1 << 16
MAX_TENSORS = 1 << 16
MAX_DIMENSIONS = 4
MAX_KEY_BYTES = 65_535

PULL_HINT = "isthmus pull NAME fetches one that is whole"
_READ_BYTES = 1 << 20

Value: TypeAlias = int | float | bool | str


class GgufHeader(Struct, frozen=True):
    """What a GGUF file says of itself.

    ``context_length`` is in tokens, as trained; ``quantization`` is the field's name for the mixture of
    number formats (Q4_K_M), None where the file doesn't say; ``parameter_count`` counts the elements of all
    tensors; ``required_bytes`` is the smallest size of a file that holds every tensor.
    """

    version: int
    architecture: str
    name: str | None
    context_length: int | None
    parameter_count: int
    quantization: str | None
    tensor_count: int
    has_chat_template: bool
    required_bytes: int


def open_weights(path: Path) -> FileIO:
    """Open a file of weights for reading.

    Raises:
        UnknownModel: There is no such file.
        InvalidWeights: It is a folder, a pipe or a device.
        ModelError: It can't be read.
    """
    try:
        if path.is_dir():
            raise InvalidWeights(f"{path} is a folder, not a GGUF file", hint=f"ls {path}")
        if path.exists() and not path.is_file():
            raise InvalidWeights(f"{path} is not a regular file")
        return path.open("rb", buffering=0)
    except FileNotFoundError as error:
        raise UnknownModel(f"there is no file {path}", hint="isthmus list") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ModelError(f"{path} can't be read: {reason}", hint=f"ls -l {path}") from error


def read_header(path: Path) -> GgufHeader:
    """Read the header of the file at ``path`` and check that the file is as long as its tensors need.

    Raises:
        UnknownModel: There is no such file.
        InvalidWeights: It is not a GGUF, of an unsupported kind, damaged or cut short.
        ModelError: It can't be read.
    """
    with open_weights(path) as file:
        return parse_header(file, path)


def parse_header(file: FileIO, path: Path) -> GgufHeader:
    """Read the header of an open file; ``path`` is what errors call it. The file's position is moved.

    Raises:
        InvalidWeights: It is not a GGUF, of an unsupported kind, damaged or cut short.
    """
    with storage_errors(path):
        head = _Head(file, path)
        version = _check_preamble(head)
        tensor_count, key_count = head.count(MAX_TENSORS, "tensors"), head.count(MAX_KEYS, "keys")
        metadata = _read_metadata(head, key_count)
        _check_kind(metadata, path)
        parameters, data_bytes = _read_tensors(head, tensor_count, _alignment(metadata, head))
        required = _aligned(head.position, _alignment(metadata, head)) + data_bytes
        if head.file_bytes < required:
            raise InvalidWeights(
                f"{path} is cut short: it has {head.file_bytes:,} of {required:,} bytes", hint=PULL_HINT
            )
    architecture = str(metadata["general.architecture"])
    return GgufHeader(
        version=version,
        architecture=architecture,
        name=_text(metadata, "general.name"),
        context_length=_whole(metadata, f"{architecture}.context_length", default=0) or None,
        parameter_count=parameters,
        quantization=FILE_TYPES.get(_whole(metadata, "general.file_type", default=-1)),
        tensor_count=tensor_count,
        has_chat_template="tokenizer.chat_template" in metadata,
        required_bytes=required,
    )


# ---------------------------------------------------------------- the bytes


class _Head:
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

    def scalar(self, layout: struct.Struct) -> int | float | bool:
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

    def skip_strings(self, count: int) -> None:
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


def _check_preamble(head: _Head) -> int:
    """Check magic and version; gives the version."""
    head.reach(min(512, head.file_bytes))
    if head.bytes[:4] != b"GGUF":
        raise InvalidWeights(
            f"{head.path} is not a GGUF file: {_looks_like(bytes(head.bytes))}", hint=PULL_HINT
        )
    head.skip(4)
    version = head.u32()
    if version in (2, 3):
        return version
    if version and not version & 0xFFFF:
        raise InvalidWeights(
            f"{head.path} is a big-endian GGUF, which this machine can't run", hint=PULL_HINT
        )
    raise InvalidWeights(
        f"{head.path} is of GGUF version {version}, and only versions 2 and 3 can be read", hint=PULL_HINT
    )


def _looks_like(start: bytes) -> str:
    """What a file that isn't a GGUF seems to be."""
    if not start:
        return "it is empty"
    if not any(start):
        return "it is full of zeros, as a download that never finished leaves it"
    text = start.lstrip().lower()
    known = {
        "it is a Git LFS pointer, which stands for the weights": text.startswith(b"version https://git-lfs"),
        "it is a web page, perhaps an error or a login": text.startswith((b"<!doctype", b"<html", b"<?xml")),
        "it is a zip archive, as PyTorch checkpoints are": start.startswith(b"PK\x03\x04"),
        "it is a PyTorch pickle": start.startswith(b"\x80\x02"),
        "it is in the GGML format that came before GGUF": start[:4] in (b"lmgg", b"fmgg", b"tjgg"),
        "it is compressed": start.startswith((b"\x1f\x8b", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"BZh")),
        "it is in the safetensors format": start[8:10] == b'{"',
        "it is JSON": text.startswith((b"{", b"[")),
    }
    return next((what for what, fits in known.items() if fits), "its first bytes are not GGUF")


# ---------------------------------------------------------------- keys


def _read_metadata(head: _Head, count: int) -> dict[str, Value]:
    """All keys with a single value; arrays (vocabularies, merges) are passed over."""
    metadata: dict[str, Value] = {}
    for _ in range(count):
        key, kind = head.string(MAX_KEY_BYTES), head.u32()
        if kind == _STRING:
            metadata[key] = head.string()
        elif kind == _ARRAY:
            _skip_array(head, key)
        elif kind in _SCALARS:
            metadata[key] = head.scalar(_SCALARS[kind])
        else:
            raise head.damaged(f"{key[:80]!r} has a value of unknown type {kind}")
    return metadata


def _skip_array(head: _Head, key: str) -> None:
    kind, count = head.u32(), head.u64()
    if kind == _STRING:
        head.skip_strings(count)
    elif kind in _SCALARS:
        head.skip(count * _SCALARS[kind].size)
    else:  # llama.cpp has no arrays of arrays either
        raise head.damaged(f"{key[:80]!r} is an array of unknown type {kind}")


def _check_kind(metadata: dict[str, Value], path: Path) -> None:
    """Refuse what is a GGUF but not a whole language model."""
    if not _text(metadata, "general.architecture"):
        raise InvalidWeights(f"{path} doesn't name its architecture, so it is no model", hint=PULL_HINT)
    kind = _text(metadata, "general.type") or "model"
    if kind != "model":
        raise InvalidWeights(f"{path} is of type {kind[:40]!r}, not a model by itself", hint=PULL_HINT)
    pieces = _whole(metadata, "split.count", default=1)
    if pieces > 1:
        raise InvalidWeights(
            f"{path} is one of {pieces} files of a split model",
            hint=f"llama-gguf-split --merge {path} whole.gguf",
        )


def _text(metadata: dict[str, Value], key: str) -> str | None:
    value = metadata.get(key)
    return value if isinstance(value, str) else None


def _whole(metadata: dict[str, Value], key: str, *, default: int) -> int:
    value = metadata.get(key)
    return value if isinstance(value, int) else default


def _alignment(metadata: dict[str, Value], head: _Head) -> int:
    alignment = metadata.get("general.alignment", 32)
    if not isinstance(alignment, int) or alignment < 1 or alignment & (alignment - 1):
        raise head.damaged(f"its alignment is {alignment!r:.40}, not a power of two")
    return alignment


# ---------------------------------------------------------------- tensors


def _read_tensors(head: _Head, count: int, alignment: int) -> tuple[int, int]:
    """Elements of all tensors, and how many bytes after the header the last of them ends."""
    if not count:
        raise InvalidWeights(f"{head.path} holds no tensors, so it is no model", hint=PULL_HINT)
    parameters = end = 0
    for _ in range(count):
        name, dimensions = head.string(MAX_KEY_BYTES), head.u32()
        if dimensions > MAX_DIMENSIONS:
            raise head.damaged(f"tensor {name[:80]!r} has {dimensions:,} dimensions")
        shape = [head.u64() for _ in range(dimensions)]
        kind, offset = head.u32(), head.u64()
        if offset % alignment:
            raise head.damaged(f"tensor {name[:80]!r} begins at {offset:,}, off the alignment of {alignment}")
        elements = math.prod(shape)
        parameters += elements
        end = max(end, offset + _tensor_bytes(head, name, kind, shape, elements))
    return parameters, end


def _tensor_bytes(head: _Head, name: str, kind: int, shape: list[int], elements: int) -> int:
    block = TENSOR_TYPES.get(kind)
    if block is None:
        # A type newer than the table, which the engine may know: its beginning is a lower bound of its end.
        return 0
    if shape and shape[0] % block.elements:
        raise head.damaged(f"tensor {name[:80]!r} has rows of {shape[0]:,}, no multiple of {block.elements}")
    return elements // block.elements * block.size_bytes


def _aligned(position: int, alignment: int) -> int:
    return -(-position // alignment) * alignment
