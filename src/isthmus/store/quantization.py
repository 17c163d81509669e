"""The number formats of GGUF: how wide a tensor's elements are, and what a mixture of them is called."""

from typing import NamedTuple


class BlockType(NamedTuple):
    """A tensor type: ``elements`` numbers are packed into ``size_bytes``."""

    elements: int
    size_bytes: int


TENSOR_TYPES: dict[int, BlockType] = {
    0: BlockType(1, 4),  # F32
    1: BlockType(1, 2),  # F16
    2: BlockType(32, 18),  # Q4_0
    3: BlockType(32, 20),  # Q4_1
    6: BlockType(32, 22),  # Q5_0
    7: BlockType(32, 24),  # Q5_1
    8: BlockType(32, 34),  # Q8_0
    9: BlockType(32, 36),  # Q8_1
    10: BlockType(256, 84),  # Q2_K
    11: BlockType(256, 110),  # Q3_K
    12: BlockType(256, 144),  # Q4_K
    13: BlockType(256, 176),  # Q5_K
    14: BlockType(256, 210),  # Q6_K
    15: BlockType(256, 292),  # Q8_K
    16: BlockType(256, 66),  # IQ2_XXS
    17: BlockType(256, 74),  # IQ2_XS
    18: BlockType(256, 98),  # IQ3_XXS
    19: BlockType(256, 50),  # IQ1_S
    20: BlockType(32, 18),  # IQ4_NL
    21: BlockType(256, 110),  # IQ3_S
    22: BlockType(256, 82),  # IQ2_S
    23: BlockType(256, 136),  # IQ4_XS
    24: BlockType(1, 1),  # I8
    25: BlockType(1, 2),  # I16
    26: BlockType(1, 4),  # I32
    27: BlockType(1, 8),  # I64
    28: BlockType(1, 8),  # F64
    29: BlockType(256, 56),  # IQ1_M
    30: BlockType(1, 2),  # BF16
    34: BlockType(256, 54),  # TQ1_0
    35: BlockType(256, 66),  # TQ2_0
    39: BlockType(32, 17),  # MXFP4
    40: BlockType(64, 36),  # NVFP4
    41: BlockType(128, 18),  # Q1_0
}
"""The ``ggml_type`` of a tensor; the gaps are types that were withdrawn."""

REPACKED_TYPES = frozenset({2, 12, 20, 39})
"""Those that llama.cpp arranges anew for a CPU with AVX2, and for most others: Q4_0, Q4_K, IQ4_NL and MXFP4
(``ggml_repack_get_optimal_repack_type`` in ggml-cpu/repack.cpp)."""

FILE_TYPES: dict[int, str] = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    7: "Q8_0",
    8: "Q5_0",
    9: "Q5_1",
    10: "Q2_K",
    11: "Q3_K_S",
    12: "Q3_K_M",
    13: "Q3_K_L",
    14: "Q4_K_S",
    15: "Q4_K_M",
    16: "Q5_K_S",
    17: "Q5_K_M",
    18: "Q6_K",
    19: "IQ2_XXS",
    20: "IQ2_XS",
    21: "Q2_K_S",
    22: "IQ3_XS",
    23: "IQ3_XXS",
    24: "IQ1_S",
    25: "IQ4_NL",
    26: "IQ3_S",
    27: "IQ3_M",
    28: "IQ2_S",
    29: "IQ2_M",
    30: "IQ4_XS",
    31: "IQ1_M",
    32: "BF16",
    36: "TQ1_0",
    37: "TQ2_0",
    38: "MXFP4_MOE",
    39: "NVFP4",
    40: "Q1_0",
}
"""``general.file_type`` as the field writes it."""

BITS_PER_WEIGHT: dict[str, float] = {
    "F32": 32.0,
    "F16": 16.0,
    "BF16": 16.0,
    "Q8_0": 8.50,
    "Q6_K": 6.56,
    "Q5_K_M": 5.70,
    "Q5_K_S": 5.57,
    "Q4_K_M": 4.89,
    "Q4_K_S": 4.67,
    "Q4_0": 4.64,
    "IQ4_NL": 4.68,
    "IQ4_XS": 4.46,
    "MXFP4_MOE": 4.63,
    "Q3_K_L": 4.30,
    "Q3_K_M": 4.00,
    "Q3_K_S": 3.64,
    "IQ3_M": 3.76,
    "IQ3_S": 3.66,
    "IQ3_XS": 3.50,
    "IQ3_XXS": 3.25,
    "Q2_K": 3.16,
    "Q2_K_S": 2.97,
    "IQ2_M": 2.93,
    "IQ2_S": 2.74,
    "IQ2_XS": 2.59,
    "IQ2_XXS": 2.38,
    "IQ1_M": 2.15,
    "IQ1_S": 2.00,
}
"""What a weight takes in a whole file of that type: llama.cpp's table for Llama-3.1-8B
(tools/quantize/README.md), for MXFP4_MOE gpt-oss-20b's file. Another model's mixture differs a little."""
