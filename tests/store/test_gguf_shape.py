from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.errors import InvalidWeights
from isthmus.store.gguf import read_header, read_headers
from isthmus.store.gguf_bytes import Strings
from isthmus.store.gguf_shape import Tensor, shape_of
from isthmus.store.shape import ModelShape
from tests.store.large import (
    F32,
    MXFP4,
    Q4_K,
    Q8_0,
    gpt_oss_20b,
    kimi_k2,
    tensor_bytes,
    write_sparse,
    write_split,
)


def shaped(architecture: str = "llama", layers: int = 2, names: dict[int, list[str]] | None = None, **keys):
    """The shape of a model whose layers have the tensors ``names``; keys' dots are written __."""
    metadata: dict = {"general.architecture": architecture, f"{architecture}.block_count": layers}
    metadata |= {f"{architecture}.{name.replace('__', '.')}": value for name, value in keys.items()}
    tensors = [
        Tensor(f"blk.{number}.{name}", (64, 64), F32, 16_384)
        for number in range(layers)
        for name in (names or {}).get(number, ["attn_k.weight"])
    ]
    return shape_of(metadata, tensors, Path("x.gguf"))


def widths(shape: ModelShape) -> list[int]:
    return [layer.kv_width for layer in shape.layers]


def windows(shape: ModelShape) -> list[int]:
    return [layer.window for layer in shape.layers]


GROUPED = {"embedding_length": 512, "attention__head_count": 8, "attention__head_count_kv": 2}


def test_grouped_heads_share_keys_and_values():
    shape = shaped(**GROUPED)
    assert widths(shape) == [2 * 2 * 64] * 2
    assert (shape.heads, shape.head_length, shape.embedding_length) == (8, 64, 512)


def test_without_a_number_of_its_own_every_head_has_keys():
    assert widths(shaped(embedding_length=512, attention__head_count=8)) == [2 * 8 * 64] * 2


def test_heads_of_their_own_length():
    shape = shaped(**GROUPED, attention__key_length=128, attention__value_length=96)
    assert widths(shape) == [2 * (128 + 96)] * 2


def test_heads_layer_by_layer():
    keys = GROUPED | {"attention__head_count_kv": (4, 0, 1)}
    assert widths(shaped(layers=3, **keys)) == [4 * 128, 0, 128]
    assert widths(shaped(layers=4, **keys)) == [4 * 128, 0, 128, 0]  # an array that is too short


def test_latent_attention_keeps_one_row():
    keys = GROUPED | {
        "attention__head_count_kv": 1,
        "attention__key_length": 576,
        "attention__value_length": 512,
    }
    assert widths(shaped("deepseek2", **keys, attention__key_length_mla=192)) == [576] * 2
    assert widths(shaped("deepseek2", **keys)) == [576 + 512] * 2  # a file from before llama.cpp knew it


def test_layers_that_share_or_predict_keep_none():
    assert widths(shaped(**GROUPED, layers=4, attention__shared_kv_layers=2)) == [256, 256, 0, 0]
    assert widths(shaped(**GROUPED, layers=3, nextn_predict_layers=1)) == [256, 256, 0]


def test_recurrent_layers_keep_a_state_instead():
    state = {"ssm__inner_size": 128, "ssm__state_size": 16, "ssm__conv_kernel": 4, "ssm__group_count": 2}
    names = {
        0: ["ssm_in.weight", "attn_qkv.weight"],
        1: ["attn_k.weight"],
        2: ["ssm_in.weight", "attn_k.weight"],
    }
    shape = shaped("qwen3next", layers=3, names=names, **GROUPED, **state)
    assert widths(shape) == [0, 256, 256]
    assert shape.recurrent_bytes == 2 * 4 * (3 * (128 + 2 * 2 * 16) + 16 * 128)
    convolved = shaped(
        "lfm2", layers=1, names={0: ["shortconv.conv.weight"]}, **GROUPED, shortconv__l_cache=3
    )
    assert (widths(convolved), convolved.recurrent_bytes) == ([0], 4 * 2 * 512)


@pytest.mark.parametrize(
    ("architecture", "expected"),
    [
        ("gpt-oss", [128, 0, 128, 0, 128, 0, 128]),
        ("gemma3", [128, 128, 128, 128, 128, 0, 128]),
        ("smallthinker", [0, 128, 128, 128, 0, 128, 128]),
        ("llama", [0] * 7),
    ],
)
def test_windows_as_llama_cpp_knows_the_architecture(architecture, expected):
    assert windows(shaped(architecture, layers=7, attention__sliding_window=128)) == expected


def test_windows_as_the_file_says():
    keys = {
        "attention__sliding_window": 512,
        "attention__key_length_swa": 32,
        "attention__value_length_swa": 16,
    }
    shape = shaped(
        "gemma4", layers=3, **GROUPED, **keys, attention__sliding_window_pattern=(True, False, True)
    )
    assert windows(shape) == [512, 0, 512]
    assert widths(shape) == [2 * (32 + 16), 256, 2 * (32 + 16)]
    every_third = shaped(
        "gemma3", layers=4, attention__sliding_window=64, attention__sliding_window_pattern=3
    )
    assert windows(every_third) == [64, 64, 0, 64]
    assert windows(shaped("gemma2", layers=2)) == [4096, 0]


def test_the_vocabulary_is_counted_where_no_tensor_shows_it():
    metadata = {"general.architecture": "x", "tokenizer.ggml.tokens": Strings(77)}
    assert shape_of(metadata, [], Path("x")).vocabulary == 77


def test_what_is_arranged_anew():
    q4_k = Tensor("blk.0.ffn_up.weight", (256, 64), Q4_K, 9216)
    odd = Tensor("blk.0.attn_q.weight", (256, 63), Q4_K, 9072)
    plain = Tensor("blk.0.attn_k.weight", (256, 64), Q8_0, 17_408)
    table = Tensor("token_embd.weight", (256, 80), Q4_K, 11_520)
    shape = shape_of({"general.architecture": "llama"}, [q4_k, odd, plain, table], Path("x"))
    assert shape.layers[0].repacked_bytes == 9216
    assert shape.output_repacked_bytes == 11_520  # the embeddings again
    assert shape.repacked_bytes == 9216 + 11_520


# ---------------------------------------------------------------- real shapes


def kimi_layer_bytes() -> int:
    """One mixture layer of Kimi K2, by hand: Q8_0 has 34 bytes for 32 weights, Q4_K 144 for 256."""
    attention = 7168 * 1536 + 1536 * 64 * 192 + 7168 * 576 + 128 * 512 * 64 * 2 + 64 * 128 * 7168
    shared = 3 * 7168 * 2048
    small = 4 * (7168 * 384 + 384 + 2 * 7168 + 1536 + 512)
    return (attention + shared) * 34 // 32 + small + 384 * 3 * 7168 * 2048 * 144 // 256


def test_kimi_k2_from_its_header(tmp_path):
    path = tmp_path / "k2.gguf"
    total = write_sparse(path, *kimi_k2())
    assert path.stat().st_blocks * 512 < 1 << 20  # no bytes, but for the header
    header = read_header(path)
    shape = header.shape
    assert header.parameter_count == pytest.approx(1.0264e12, rel=1e-3)
    assert shape.weights_bytes == total
    assert len(shape.layers) == 61
    assert shape.layers[0].expert_bytes == 0
    assert shape.layers[1].weights_bytes == kimi_layer_bytes()
    assert shape.layers[1].expert_bytes == 384 * 3 * 7168 * 2048 * 144 // 256
    assert set(widths(shape)) == {576}
    assert (shape.experts, shape.experts_used, shape.vocabulary) == (384, 8, 163_840)


def test_kimi_k2_in_pieces_is_the_same(tmp_path):
    keys, tensors = kimi_k2()
    whole = tmp_path / "whole.gguf"
    write_sparse(whole, keys, tensors)
    assert read_headers(write_split(tmp_path, "k2", keys, tensors, 13)).shape == read_header(whole).shape


def test_gpt_oss_from_its_header(tmp_path):
    path = tmp_path / "gpt-oss.gguf"
    assert write_sparse(path, *gpt_oss_20b()) == pytest.approx(12.1e9, rel=0.001)  # as ggml-org's file
    shape = read_header(path).shape
    assert windows(shape) == [128, 0] * 12
    assert widths(shape) == [2 * 8 * 64] * 24
    experts = 3 * tensor_bytes((2880, 2880, 32), MXFP4) + 4 * (3 * 2880 * 32)
    assert shape.layers[0].expert_bytes == experts


# ---------------------------------------------------------------- whatever a file claims

NUMBER = st.one_of(st.integers(-(1 << 63), 1 << 64), st.floats(), st.booleans())
KEYS = st.sampled_from(
    [
        "block_count",
        "context_length",
        "embedding_length",
        "feed_forward_length",
        "attention.head_count",
        "attention.head_count_kv",
        "attention.key_length",
        "attention.key_length_mla",
        "attention.shared_kv_layers",
        "attention.sliding_window",
        "attention.sliding_window_pattern",
        "nextn_predict_layers",
        "ssm.state_size",
        "expert_used_count",
    ]
)
VALUE = st.one_of(NUMBER, st.text(max_size=3), st.lists(NUMBER, max_size=9).map(tuple), st.just(Strings(5)))


@settings(deadline=None)
@given(
    architecture=st.sampled_from(["llama", "gemma3", "gpt-oss", "smallthinker", "deepseek2"]),
    claims=st.dictionaries(KEYS, VALUE, max_size=8),
    number=st.integers(0, 600),
    name=st.sampled_from(["attn_k.weight", "ssm_in.weight", "ffn_up_exps.weight", "x"]),
    sizes=st.lists(st.integers(0, 1 << 64), max_size=4).map(tuple),
)
def test_any_claims_give_a_shape_or_invalid_weights(architecture, claims, number, name, sizes):
    metadata: dict = {"general.architecture": architecture}
    metadata |= {f"{architecture}.{key}": value for key, value in claims.items()}
    tensor = Tensor(f"blk.{number}.{name}", sizes, 12, 100)
    try:
        shape = shape_of(metadata, [tensor], Path("x.gguf"))
    except InvalidWeights:
        return
    assert number < len(shape.layers) <= 512
    assert shape.weights_bytes == 100
    assert all(layer.kv_width >= 0 and layer.window >= 0 for layer in shape.layers)
