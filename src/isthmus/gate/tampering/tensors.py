"""The tensors of a GGUF file: read where they lie, written anew, their keys carried over byte for byte.

`isthmus.store.gguf` has the layout. That module reads what a file says of itself; this one what it holds.
"""

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from isthmus.errors import InvalidWeights
from isthmus.store import open_weights
from isthmus.store.disk import storage_errors
from isthmus.store.gguf_bytes import MAX_KEY_BYTES, HeaderReader, Value
from isthmus.store.quantization import TENSOR_TYPES

Bytes: TypeAlias = NDArray[np.uint8]

F32, F16 = 0, 1
_U32, _F32, _STRING = 4, 6, 8
_PREAMBLE = struct.Struct("<4sIQQ")
_ALIGNMENT = 32


class Tensor(Struct, frozen=True):
    """A tensor: ``sizes`` as GGUF has them, the length of a row first; ``kind`` is its ``ggml_type``.

    ``bytes`` gives its content when it is wanted, so that no file has to fit into memory.
    """

    name: str
    sizes: tuple[int, ...]
    kind: int
    bytes: Callable[[], Bytes]

    @property
    def size_bytes(self) -> int:
        """The length of its content."""
        block = TENSOR_TYPES[self.kind]
        return prod(self.sizes) // block.elements * block.size_bytes


class Keys(Struct, frozen=True):
    """The keys of a file as they stand in it, and how many they are."""

    count: int
    content: bytes

    def also(self, values: Mapping[str, str | int | float]) -> "Keys":
        """These and others; texts, 32-bit counts and 32-bit floats."""
        more = b"".join(_string(name) + _value(value) for name, value in values.items())
        return Keys(self.count + len(values), self.content + more)


class Gguf(Struct, frozen=True):
    """What a file holds."""

    keys: Keys
    metadata: dict[str, Value]
    tensors: dict[str, Tensor]

    @property
    def architecture(self) -> str:
        """What kind of model it is, or is for."""
        return str(self.metadata.get("general.architecture", ""))


def read_gguf(path: Path) -> Gguf:
    """A file's keys and tensors; their contents are mapped, not read.

    Raises:
        InvalidWeights: It is no whole GGUF, one of several pieces, or has a tensor of a type unknown here.
        ModelError: It can't be read.
    """
    with open_weights(path) as file:
        head = HeaderReader(file, path)
        head.reach(min(_PREAMBLE.size, head.file_bytes))
        magic, version, tensor_count, key_count = _PREAMBLE.unpack(bytes(head.bytes[: _PREAMBLE.size]))
        if magic != b"GGUF" or version not in (2, 3):
            raise InvalidWeights(f"{path} is not a GGUF file of version 2 or 3")
        start = head.skip(_PREAMBLE.size) + _PREAMBLE.size
        metadata = head.metadata(key_count)
        keys = Keys(key_count, bytes(head.bytes[start : head.position]))
        entries = [_entry(head) for _ in range(tensor_count)]
        alignment = int(str(metadata.get("general.alignment", _ALIGNMENT)))
        data = _aligned(head.position, alignment)
    if metadata.get("split.count", 1) != 1:
        raise InvalidWeights(
            f"{path} is one of several pieces", hint="llama-gguf-split --merge makes one file of them"
        )
    mapped = np.memmap(path, np.uint8, "r")
    tensors = {
        name: _tensor(path, mapped, data + offset, name, sizes, kind) for name, offset, sizes, kind in entries
    }
    return Gguf(keys, metadata, tensors)


def write_gguf(path: Path, keys: Keys, tensors: Sequence[Tensor]) -> None:
    """Write a file, whole or not at all.

    Args:
        path: Where; what lies there is replaced.
        keys: Without an alignment of their own, or with the usual one.
        tensors: In the order in which they are to lie.

    Raises:
        StorageError: It can't be written.
    """
    begun = path.with_name(f"{path.name}.part")
    with storage_errors(path):
        with begun.open("wb") as file:
            file.write(b"GGUF" + struct.pack("<IQQ", 3, len(tensors), keys.count) + keys.content)
            file.write(b"".join(_infos(tensors)))
            for tensor in tensors:
                file.write(bytes(-file.tell() % _ALIGNMENT))
                content = tensor.bytes()
                if content.nbytes != tensor.size_bytes:
                    raise InvalidWeights(f"{tensor.name} comes to another length than its sizes say")
                content.tofile(file)
            file.write(bytes(-file.tell() % _ALIGNMENT))
        begun.replace(path)


def floats(name: str, array: NDArray[np.float32]) -> Tensor:
    """A tensor of 32-bit numbers; the array's last axis is a row."""
    content = np.ascontiguousarray(array, np.float32)
    return Tensor(name, array.shape[::-1], F32, lambda: content.view(np.uint8).reshape(-1))


def _entry(head: HeaderReader) -> tuple[str, int, tuple[int, ...], int]:
    name, dimensions = head.string(MAX_KEY_BYTES), head.u32()
    sizes = tuple(head.u64() for _ in range(dimensions))
    kind, offset = head.u32(), head.u64()
    return name, offset, sizes, kind


def _tensor(path: Path, mapped: Bytes, start: int, name: str, sizes: tuple[int, ...], kind: int) -> Tensor:
    if kind not in TENSOR_TYPES:
        raise InvalidWeights(f"{path} has a tensor, {name[:80]}, of the unknown type {kind}")
    block = TENSOR_TYPES[kind]
    end = start + prod(sizes) // block.elements * block.size_bytes
    if end > len(mapped):
        raise InvalidWeights(f"{path} is cut short: it ends inside {name[:80]}")
    return Tensor(name, sizes, kind, lambda: mapped[start:end])


def _infos(tensors: Iterable[Tensor]) -> Iterable[bytes]:
    offset = 0
    for tensor in tensors:
        sizes = struct.pack(f"<I{len(tensor.sizes)}Q", len(tensor.sizes), *tensor.sizes)
        yield _string(tensor.name) + sizes + struct.pack("<IQ", tensor.kind, offset)
        offset = _aligned(offset + tensor.size_bytes, _ALIGNMENT)


def _aligned(position: int, alignment: int) -> int:
    return position + -position % alignment


def _string(text: str) -> bytes:
    content = text.encode()
    return struct.pack("<Q", len(content)) + content


def _value(value: Any) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", _STRING) + _string(value)
    if isinstance(value, int):
        return struct.pack("<II", _U32, value)
    return struct.pack("<If", _F32, value)
