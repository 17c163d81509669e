"""Reading the header of a GGUF file: what the weights are, and whether all of them are there.

A file is laid out as (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, little-endian)

    "GGUF"  version u32  tensors u64  keys u64
    for each key:     name string, type u32, value (general.architecture, tokenizer.chat_template, ...)
    for each tensor:  name string, n u32, n sizes u64, type u32, offset u64
    padding to general.alignment, then the tensors' bytes; offsets count from here

where a string is its length (u64) and its bytes, and an array its elements' type (u32), their count (u64)
and the elements. A large model is split into several such files (split.no of split.count, counted from 0):
the first has the keys, and each has the tensors whose bytes it holds. A file comes from anywhere, so nothing
it says of itself is trusted (`isthmus.store.gguf_bytes`).
"""

import math
import re
from collections.abc import Sequence
from io import FileIO
from pathlib import Path

from msgspec import Struct

from isthmus.errors import InvalidWeights, ModelError, UnknownModel
from isthmus.store.disk import storage_errors
from isthmus.store.gguf_bytes import HEADER_LIMIT_BYTES, MAX_KEY_BYTES, PULL_HINT, HeaderReader, Value
from isthmus.store.gguf_shape import Tensor, shape_of, text, whole
from isthmus.store.quantization import FILE_TYPES, TENSOR_TYPES
from isthmus.store.shape import ModelShape, ProjectorShape

__all__ = [
    "HEADER_LIMIT_BYTES",
    "GgufHeader",
    "open_weights",
    "parse_header",
    "parse_headers",
    "parse_projector",
    "read_header",
    "read_headers",
    "read_metadata",
    "split_siblings",
]

MAX_KEYS = 1 << 16
MAX_TENSORS = 1 << 16
MAX_DIMENSIONS = 4

_POOLINGS = ("none", "mean", "cls", "last", "rank")
"""llama.cpp's ``llama_pooling_type``, from 0."""
_ENCODERS = frozenset(
    {
        "bert",
        "eurobert",
        "gemma-embedding",
        "jina-bert-v2",
        "jina-bert-v3",
        "modern-bert",
        "neo-bert",
        "nomic-bert",
        "nomic-bert-moe",
        "t5encoder",
    }
)
"""Architectures that read a text, and can't continue it."""


class GgufHeader(Struct, frozen=True):
    """What a GGUF file says of itself, or all the files of a split model together.

    ``context_length`` is in tokens, as trained; ``quantization`` is the field's name for the mixture of
    number formats (Q4_K_M), None where the file doesn't say; ``parameter_count`` counts the elements of all
    tensors; ``required_bytes`` is the smallest size of a file that holds every tensor (of all files).
    ``pooling`` is how a text's vector is made of its tokens', of models that were trained for it: mean, cls,
    last, or rank for a score in place of a vector.
    """

    version: int
    architecture: str
    name: str | None
    context_length: int | None
    parameter_count: int
    quantization: str | None
    tensor_count: int
    chat_template: str | None
    required_bytes: int
    shape: ModelShape
    pooling: str | None = None

    @property
    def has_chat_template(self) -> bool:
        """Whether it says how a conversation is put to it."""
        return self.chat_template is not None

    @property
    def sees(self) -> bool:
        """Whether it can be shown images."""
        return self.shape.projector is not None and self.shape.projector.patches > 0

    @property
    def embeds(self) -> bool:
        """Whether it turns texts into vectors, or scores, and can't answer."""
        return self.architecture in _ENCODERS or self.pooling not in (None, "none")


class _Piece(Struct, frozen=True):
    """One file's header."""

    path: Path
    version: int
    metadata: dict[str, Value]
    tensors: list[Tensor]
    required_bytes: int

    @property
    def number(self) -> int:
        return whole(self.metadata, "split.no")

    @property
    def count(self) -> int:
        """How many files the model is split into; 1: it isn't."""
        return max(whole(self.metadata, "split.count", default=1), 1)


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
        InvalidWeights: It is not a GGUF, of an unsupported kind, damaged, cut short or one of several pieces.
        ModelError: It can't be read.
    """
    with open_weights(path) as file:
        return parse_header(file, path)


def read_headers(paths: Sequence[Path]) -> GgufHeader:
    """Read the headers of all the files of a split model, as `parse_headers` does.

    Raises:
        UnknownModel: One of the files isn't there.
        InvalidWeights: As `parse_headers`.
        ModelError: One can't be read.
    """
    pieces: list[_Piece] = []
    for path in paths:
        with open_weights(path) as file:
            pieces.append(_read_piece(file, path))
    return _joined(pieces)


def parse_header(file: FileIO, path: Path) -> GgufHeader:
    """Read the header of an open file; ``path`` is what errors call it. The file's position is moved.

    Raises:
        InvalidWeights: It is not a GGUF, of an unsupported kind, damaged, cut short or one of several pieces.
    """
    return parse_headers([file], [path])


def parse_headers(files: Sequence[FileIO], paths: Sequence[Path]) -> GgufHeader:
    """Read the headers of all the open files of a split model together, the first piece first.

    A model that isn't split is one file. The files' positions are moved.

    Raises:
        InvalidWeights: One is not a GGUF, of an unsupported kind, damaged or cut short; or they aren't all
            the pieces of one model, in their order.
    """
    return _joined([_read_piece(file, path) for file, path in zip(files, paths, strict=True)])


def parse_projector(file: FileIO, path: Path) -> ProjectorShape:
    """Read the header of an open file that turns images into what a model reads (llama.cpp's "mmproj").

    Raises:
        InvalidWeights: It is not a GGUF, damaged or cut short; or a model by itself.
    """
    piece = _read_piece(file, path)
    if text(piece.metadata, "general.architecture") != "clip":
        raise InvalidWeights(f"{path} is no projector of images", hint="mmproj-*.gguf is one")
    return ProjectorShape(
        weights_bytes=sum(tensor.size_bytes for tensor in piece.tensors),
        image_length=whole(piece.metadata, "clip.vision.image_size"),
        patch_length=whole(piece.metadata, "clip.vision.patch_size"),
        embedding_length=whole(piece.metadata, "clip.vision.embedding_length"),
        feed_forward_length=whole(piece.metadata, "clip.vision.feed_forward_length"),
    )


def read_metadata(path: Path) -> dict[str, Value]:
    """The keys of the file at ``path`` with their values, as far as they are kept.

    Of a split model, the first file has them.

    Raises:
        UnknownModel: There is no such file.
        InvalidWeights: It is not a GGUF, of an unsupported kind, damaged or cut short.
        ModelError: It can't be read.
    """
    with open_weights(path) as file:
        return _read_piece(file, path).metadata


_SPLIT_NAME = re.compile(r"^(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf$")


def split_siblings(path: Path) -> tuple[Path, ...]:
    """The names that llama.cpp gives to all the pieces of the split model that ``path`` is one of, in order.

    Just ``path`` where its name isn't a piece's (model-00001-of-00003.gguf).
    """
    match = _SPLIT_NAME.match(path.name)
    if match is None or not 1 <= int(match["number"]) <= int(match["count"]):
        return (path,)
    count = int(match["count"])
    return tuple(
        path.with_name(f"{match['stem']}-{number:05}-of-{count:05}.gguf") for number in range(1, count + 1)
    )


# ---------------------------------------------------------------- one file


def _read_piece(file: FileIO, path: Path) -> _Piece:
    with storage_errors(path):
        head = HeaderReader(file, path)
        version = _check_preamble(head)
        tensor_count, key_count = head.count(MAX_TENSORS, "tensors"), head.count(MAX_KEYS, "keys")
        metadata = head.metadata(key_count)
        alignment = _alignment(metadata, head)
        tensors, data_bytes = _read_tensors(head, tensor_count, alignment)
        required = _aligned(head.position, alignment) + data_bytes
        if head.file_bytes < required:
            raise InvalidWeights(
                f"{path} is cut short: it has {head.file_bytes:,} of {required:,} bytes", hint=PULL_HINT
            )
    return _Piece(path, version, metadata, tensors, required)


def _check_preamble(head: HeaderReader) -> int:
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


def _alignment(metadata: dict[str, Value], head: HeaderReader) -> int:
    alignment = metadata.get("general.alignment", 32)
    if not isinstance(alignment, int) or alignment < 1 or alignment & (alignment - 1):
        raise head.damaged(f"its alignment is {alignment!r:.40}, not a power of two")
    return alignment


def _read_tensors(head: HeaderReader, count: int, alignment: int) -> tuple[list[Tensor], int]:
    """All tensors, and how many bytes after the header the last of them ends."""
    tensors: list[Tensor] = []
    end = 0
    for _ in range(count):
        name, dimensions = head.string(MAX_KEY_BYTES), head.u32()
        if dimensions > MAX_DIMENSIONS:
            raise head.damaged(f"tensor {name[:80]!r} has {dimensions:,} dimensions")
        sizes = tuple(head.u64() for _ in range(dimensions))
        kind, offset = head.u32(), head.u64()
        if offset % alignment:
            raise head.damaged(f"tensor {name[:80]!r} begins at {offset:,}, off the alignment of {alignment}")
        tensor = Tensor(name, sizes, kind, _tensor_bytes(head, name, kind, sizes))
        tensors.append(tensor)
        end = max(end, offset + tensor.size_bytes)
    return tensors, end


def _tensor_bytes(head: HeaderReader, name: str, kind: int, sizes: tuple[int, ...]) -> int:
    block = TENSOR_TYPES.get(kind)
    if block is None:
        # A type newer than the table, which the engine may know: its beginning is a lower bound of its end.
        return 0
    if sizes and sizes[0] % block.elements:
        raise head.damaged(f"tensor {name[:80]!r} has rows of {sizes[0]:,}, no multiple of {block.elements}")
    return math.prod(sizes) // block.elements * block.size_bytes


def _aligned(position: int, alignment: int) -> int:
    return -(-position // alignment) * alignment


# ---------------------------------------------------------------- all of them


def _joined(pieces: list[_Piece]) -> GgufHeader:
    """One header of all the pieces of a model."""
    first = pieces[0]
    _check_order(pieces)
    metadata = first.metadata
    _check_kind(metadata, first.path)
    tensors = [tensor for piece in pieces for tensor in piece.tensors]
    if not tensors:
        raise InvalidWeights(f"{first.path} holds no tensors, so it is no model", hint=PULL_HINT)
    architecture = str(metadata["general.architecture"])
    return GgufHeader(
        version=first.version,
        architecture=architecture,
        name=text(metadata, "general.name"),
        context_length=whole(metadata, f"{architecture}.context_length") or None,
        parameter_count=sum(math.prod(tensor.sizes) for tensor in tensors),
        quantization=FILE_TYPES.get(whole(metadata, "general.file_type", default=-1)),
        tensor_count=len(tensors),
        chat_template=text(metadata, "tokenizer.chat_template"),
        required_bytes=sum(piece.required_bytes for piece in pieces),
        shape=shape_of(metadata, tensors, first.path),
        pooling=dict(enumerate(_POOLINGS)).get(whole(metadata, f"{architecture}.pooling_type", default=-1)),
    )


def _check_order(pieces: list[_Piece]) -> None:
    """Make sure that these are all the pieces of one model, in their order."""
    first = pieces[0]
    if len(pieces) == 1 and first.count > 1:
        beside = split_siblings(first.path)
        raise InvalidWeights(
            f"{first.path} is one of {first.count} files of a split model, and the others aren't beside it",
            hint=f"put all of them into one folder and name the first: isthmus pull {beside[0]}",
        )
    for number, piece in enumerate(pieces):
        if piece.count != len(pieces) or piece.number != number:
            raise InvalidWeights(
                f"{piece.path} says that it is piece {piece.number + 1} of {piece.count}, "
                f"and is given as piece {number + 1} of {len(pieces)}",
                hint=PULL_HINT,
            )


def _check_kind(metadata: dict[str, Value], path: Path) -> None:
    """Refuse what is a GGUF but not a whole language model."""
    if not text(metadata, "general.architecture"):
        raise InvalidWeights(f"{path} doesn't name its architecture, so it is no model", hint=PULL_HINT)
    kind = text(metadata, "general.type") or "model"
    if kind != "model":
        raise InvalidWeights(f"{path} is of type {kind[:40]!r}, not a model by itself", hint=PULL_HINT)
