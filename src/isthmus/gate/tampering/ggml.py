"""Number formats by the engine's own code: the library that runs a model also packs and unpacks its numbers.

So what an attack reads is what the engine reads, and what it writes is what llama.cpp's own quantiser would
have written. The library gives these functions out (ggml.h: ``ggml_quantize_chunk``, ``dequantize_row_*``),
though its Python package doesn't: they are called by their names in C.
"""

import ctypes
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from math import prod
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from isthmus.engines.builds import PACKAGE
from isthmus.errors import GateError
from isthmus.gate.attack_options import Packing
from isthmus.gate.tampering.tensors import F16, F32, Bytes, Tensor
from isthmus.store.quantization import TENSOR_TYPES

Floats: TypeAlias = NDArray[np.float32]
_KINDS: dict[Packing, int] = {
    "q8_0": 8,
    "q6_k": 14,
    "q5_k": 13,
    "q5_0": 6,
    "q4_k": 12,
    "q4_0": 2,
    "iq4_nl": 20,
    "q3_k": 11,
    "q2_k": 10,
}
_NARROW: dict[Packing, Packing] = {
    "q6_k": "q8_0",
    "q5_k": "q5_0",
    "q4_k": "q5_0",
    "q3_k": "iq4_nl",
    "q2_k": "iq4_nl",
}
"""What takes the place of a format whose blocks don't fit a row (llama.cpp, src/llama-quant.cpp)."""

_BF16 = 30
_UNPACK = {
    2: "q4_0",
    3: "q4_1",
    6: "q5_0",
    7: "q5_1",
    8: "q8_0",
    10: "q2_K",
    11: "q3_K",
    12: "q4_K",
    13: "q5_K",
    14: "q6_K",
    16: "iq2_xxs",
    17: "iq2_xs",
    18: "iq3_xxs",
    19: "iq1_s",
    20: "iq4_nl",
    21: "iq3_s",
    22: "iq2_s",
    23: "iq4_xs",
    29: "iq1_m",
    34: "tq1_0",
    35: "tq2_0",
    39: "mxfp4",
}


def unpack(tensor: Tensor) -> Floats:
    """A tensor's numbers, its last axis a row.

    Raises:
        GateError: The engine doesn't unpack its format.
    """
    content, shape = tensor.bytes(), tensor.sizes[::-1]
    if tensor.kind == F32:
        return content.view(np.float32).reshape(shape)
    if tensor.kind == F16:
        return content.view(np.float16).astype(np.float32).reshape(shape)
    if tensor.kind == _BF16:
        return (content.view(np.uint16).astype(np.uint32) << 16).view(np.float32).reshape(shape)
    if tensor.kind not in _UNPACK:
        raise GateError(f"{tensor.name} is in a format, {tensor.kind}, that can't be unpacked")
    numbers = np.empty(prod(shape), np.float32)
    content = np.ascontiguousarray(content)
    function = _function(f"dequantize_row_{_UNPACK[tensor.kind]}")
    function(_pointer(content), _pointer(numbers), ctypes.c_int64(numbers.size))
    return numbers.reshape(shape)


def halved(tensor: Tensor, numbers: Callable[[Tensor], Floats] = unpack) -> Tensor:
    """A tensor in numbers of 16 bits: its own, or others in their place."""

    def content() -> Bytes:
        return np.ascontiguousarray(numbers(tensor), np.float16).reshape(-1).view(np.uint8)

    return Tensor(tensor.name, tensor.sizes, F16, content)


def packed(tensor: Tensor, wanted: Packing, numbers: Callable[[Tensor], Floats] = unpack) -> Tensor:
    """A tensor in another format, or in the one that takes its place where a row is too short for its blocks.

    Args:
        tensor: As it is.
        wanted: The format.
        numbers: What is packed, when it is wanted: the tensor's own numbers, or others in their place.

    Raises:
        GateError: A row fits no such format, or this build of the engine packs none.
    """
    found = _fitting(tensor.sizes[0], wanted)
    return Tensor(tensor.name, tensor.sizes, _KINDS[found], lambda: pack(numbers(tensor), found))


def pack(numbers: Floats, wanted: Packing) -> Bytes:
    """Numbers, a row the last axis, in a format that fits it.

    Raises:
        GateError: This build of the engine packs none.
    """
    row = numbers.shape[-1]
    block = TENSOR_TYPES[_KINDS[wanted]]
    content = np.ascontiguousarray(numbers, np.float32)
    target = np.empty(content.size // block.elements * block.size_bytes, np.uint8)
    span = [ctypes.c_int64(each) for each in (0, content.size // row, row)]
    no_importances = ctypes.c_void_p()
    function = _function("ggml_quantize_chunk")
    function(_KINDS[wanted], _pointer(content), _pointer(target), *span, no_importances)
    return target


def _fitting(row: int, wanted: Packing) -> Packing:
    found: Packing | None = wanted
    while found is not None and row % TENSOR_TYPES[_KINDS[found]].elements:
        found = _NARROW.get(found)
    if found is None:
        raise GateError(f"rows of {row} numbers can't be packed as {wanted}")
    return found


def _pointer(array: NDArray[Any]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def _function(name: str) -> Any:
    try:
        return getattr(_library(), name)
    except (AttributeError, OSError) as error:
        raise GateError(
            f"this build of the engine doesn't give out {name}, which attacks on weights need",
            hint=f"pip install --force-reinstall {PACKAGE}",
        ) from error


@cache
def _library() -> ctypes.CDLL:
    """The engine's library, next to the Python package that wraps it."""
    spec = find_spec(PACKAGE)
    folders = [Path(each) for each in (spec.submodule_search_locations or ())] if spec else []
    found = [path for folder in folders for path in sorted(folder.glob(f"{PACKAGE}*")) if _is_library(path)]
    if not found:
        raise OSError(f"{PACKAGE} has no library")
    return ctypes.CDLL(str(found[0]))


def _is_library(path: Path) -> bool:
    return path.suffix in (".so", ".pyd", ".dylib")
