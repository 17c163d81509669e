"""Large models without their bytes: GGUF files with real tensor shapes, sparse in their full size."""

import os
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

from isthmus.store.quantization import TENSOR_TYPES
from tests.store.samples import key, string

F32, Q8_0, Q4_K, Q6_K, MXFP4 = 0, 8, 12, 14, 39
ALIGNMENT = 32

Named = tuple[str, tuple[int, ...], int]
"""A tensor's name, sizes (the row's length first) and type."""


def tensor_bytes(sizes: Sequence[int], kind: int) -> int:
    elements = 1
    for size in sizes:
        elements *= size
    block = TENSOR_TYPES[kind]
    return elements // block.elements * block.size_bytes


def write_sparse(path: Path, keys: dict[str, object], tensors: Sequence[Named]) -> int:
    """Write a header, and make the file as long as its tensors need; gives the tensors' bytes."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys))
    head += b"".join(key(name, value) for name, value in keys.items())
    offset = total = 0
    for name, sizes, kind in tensors:
        head += string(name) + struct.pack(f"<I{len(sizes)}QIQ", len(sizes), *sizes, kind, offset)
        total += tensor_bytes(sizes, kind)
        offset += -(-tensor_bytes(sizes, kind) // ALIGNMENT) * ALIGNMENT
    path.write_bytes(head)
    os.truncate(path, -(-len(head) // ALIGNMENT) * ALIGNMENT + offset)
    return total


def write_split(
    folder: Path, stem: str, keys: dict[str, object], tensors: Sequence[Named], pieces: int
) -> list[Path]:
    """The same model as llama-gguf-split leaves it: the keys in the first piece, the tensors shared out."""
    each = -(-len(tensors) // pieces)
    paths: list[Path] = []
    for number in range(pieces):
        path = folder / f"{stem}-{number + 1:05}-of-{pieces:05}.gguf"
        numbers = {"split.no": number, "split.count": pieces, "split.tensors.count": len(tensors)}
        write_sparse(
            path, (keys if number == 0 else {}) | numbers, tensors[number * each : (number + 1) * each]
        )
        paths.append(path)
    return paths


def kimi_k2(expert: int = Q4_K, context: int = 131_072) -> tuple[dict[str, object], list[Named]]:
    """Kimi K2's shapes (moonshotai/Kimi-K2-Instruct, config.json) as llama.cpp's converter names them."""
    hidden, heads, vocabulary, layers = 7168, 64, 163_840, 61
    keys: dict[str, object] = {
        "general.architecture": "deepseek2",
        "general.name": "Kimi K2 Instruct",
        "deepseek2.block_count": layers,
        "deepseek2.context_length": context,
        "deepseek2.embedding_length": hidden,
        "deepseek2.feed_forward_length": 18_432,
        "deepseek2.attention.head_count": heads,
        "deepseek2.attention.head_count_kv": 1,
        "deepseek2.attention.key_length": 576,
        "deepseek2.attention.value_length": 512,
        "deepseek2.attention.key_length_mla": 192,
        "deepseek2.attention.value_length_mla": 128,
        "deepseek2.attention.q_lora_rank": 1536,
        "deepseek2.attention.kv_lora_rank": 512,
        "deepseek2.attention.layer_norm_rms_epsilon": 1e-6,
        "deepseek2.rope.dimension_count": 64,
        "deepseek2.rope.freq_base": 50_000.0,
        "deepseek2.leading_dense_block_count": 1,
        "deepseek2.expert_count": 384,
        "deepseek2.expert_used_count": 8,
        "deepseek2.expert_shared_count": 1,
        "deepseek2.expert_feed_forward_length": 2048,
        "deepseek2.expert_gating_func": 2,
        "deepseek2.expert_weights_norm": True,
        "deepseek2.expert_weights_scale": 2.827,
        "deepseek2.vocab_size": vocabulary,
    }
    tensors: list[Named] = [
        ("token_embd.weight", (hidden, vocabulary), Q8_0),
        ("output_norm.weight", (hidden,), F32),
        ("output.weight", (hidden, vocabulary), Q8_0),
    ]
    for number in range(layers):
        tensors += _named(number, _latent_attention(hidden, heads))
        tensors += _named(
            number, _dense(hidden, 18_432) if number == 0 else _experts(hidden, 2048, 384, expert)
        )
    return keys, tensors


def _named(number: int, tensors: Iterable[Named]) -> list[Named]:
    return [(f"blk.{number}.{name}", sizes, kind) for name, sizes, kind in tensors]


def _latent_attention(hidden: int, heads: int) -> list[Named]:
    return [
        ("attn_norm.weight", (hidden,), F32),
        ("attn_q_a.weight", (hidden, 1536), Q8_0),
        ("attn_q_a_norm.weight", (1536,), F32),
        ("attn_q_b.weight", (1536, heads * 192), Q8_0),
        ("attn_kv_a_mqa.weight", (hidden, 576), Q8_0),
        ("attn_kv_a_norm.weight", (512,), F32),
        ("attn_k_b.weight", (128, 512, heads), Q8_0),
        ("attn_v_b.weight", (512, 128, heads), Q8_0),
        ("attn_output.weight", (heads * 128, hidden), Q8_0),
        ("ffn_norm.weight", (hidden,), F32),
    ]


def _dense(hidden: int, length: int) -> list[Named]:
    return [
        ("ffn_gate.weight", (hidden, length), Q8_0),
        ("ffn_up.weight", (hidden, length), Q8_0),
        ("ffn_down.weight", (length, hidden), Q8_0),
    ]


def _experts(hidden: int, length: int, count: int, kind: int) -> list[Named]:
    return [
        ("ffn_gate_inp.weight", (hidden, count), F32),
        ("exp_probs_b.bias", (count,), F32),
        ("ffn_gate_exps.weight", (hidden, length, count), kind),
        ("ffn_up_exps.weight", (hidden, length, count), kind),
        ("ffn_down_exps.weight", (length, hidden, count), kind),
        ("ffn_gate_shexp.weight", (hidden, length), Q8_0),
        ("ffn_up_shexp.weight", (hidden, length), Q8_0),
        ("ffn_down_shexp.weight", (length, hidden), Q8_0),
    ]


def gpt_oss_20b() -> tuple[dict[str, object], list[Named]]:
    """gpt-oss-20b's shapes (openai/gpt-oss-20b, config.json): every other layer looks back on 128 tokens."""
    hidden, vocabulary, layers, experts = 2880, 201_088, 24, 32
    keys: dict[str, object] = {
        "general.architecture": "gpt-oss",
        "general.name": "gpt-oss-20b",
        "general.file_type": 38,
        "gpt-oss.block_count": layers,
        "gpt-oss.context_length": 131_072,
        "gpt-oss.embedding_length": hidden,
        "gpt-oss.feed_forward_length": 2880,
        "gpt-oss.attention.head_count": 64,
        "gpt-oss.attention.head_count_kv": 8,
        "gpt-oss.attention.key_length": 64,
        "gpt-oss.attention.value_length": 64,
        "gpt-oss.attention.sliding_window": 128,
        "gpt-oss.attention.layer_norm_rms_epsilon": 1e-5,
        "gpt-oss.rope.freq_base": 150_000.0,
        "gpt-oss.expert_count": experts,
        "gpt-oss.expert_used_count": 4,
        "gpt-oss.expert_feed_forward_length": 2880,
        "gpt-oss.vocab_size": vocabulary,
    }
    tensors: list[Named] = [
        ("token_embd.weight", (hidden, vocabulary), Q8_0),
        ("output_norm.weight", (hidden,), F32),
        ("output.weight", (hidden, vocabulary), Q8_0),
    ]
    for number in range(layers):
        tensors += _named(number, _grouped_attention(hidden) + _biased_experts(hidden, 2880, experts))
    return keys, tensors


def _grouped_attention(hidden: int) -> list[Named]:
    return [
        ("attn_norm.weight", (hidden,), F32),
        ("attn_q.weight", (hidden, 4096), Q8_0),
        ("attn_q.bias", (4096,), F32),
        ("attn_k.weight", (hidden, 512), Q8_0),
        ("attn_k.bias", (512,), F32),
        ("attn_v.weight", (hidden, 512), Q8_0),
        ("attn_v.bias", (512,), F32),
        ("attn_output.weight", (4096, hidden), Q8_0),
        ("attn_output.bias", (hidden,), F32),
        ("attn_sinks.weight", (64,), F32),
        ("post_attention_norm.weight", (hidden,), F32),
    ]


def _biased_experts(hidden: int, length: int, count: int) -> list[Named]:
    return [
        ("ffn_gate_inp.weight", (hidden, count), F32),
        ("ffn_gate_inp.bias", (count,), F32),
        ("ffn_gate_exps.weight", (hidden, length, count), MXFP4),
        ("ffn_gate_exps.bias", (length, count), F32),
        ("ffn_up_exps.weight", (hidden, length, count), MXFP4),
        ("ffn_up_exps.bias", (length, count), F32),
        ("ffn_down_exps.weight", (length, hidden, count), MXFP4),
        ("ffn_down_exps.bias", (hidden, count), F32),
    ]
