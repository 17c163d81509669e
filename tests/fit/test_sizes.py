import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.engines.worker_config import NGRAM_DRAFT
from isthmus.fit import Budget, plan
from isthmus.fit.sizes import (
    DRAFT_TOKENS,
    compute_bytes,
    guessed_tokens,
    kv_bytes,
    padded,
    projector_bytes,
    recurrent_bytes,
    worker_bytes,
)
from isthmus.settings import EngineSettings
from isthmus.store.gguf import read_header
from isthmus.store.shape import LayerShape, ProjectorShape
from tests.fit.shapes import GIB, MIB, shape, shapes, unhurried
from tests.store.large import gpt_oss_20b, kimi_k2, write_sparse

ONE = EngineSettings(parallel=1, speculation="off")
EYES = ProjectorShape(
    weights_bytes=800 * MIB,
    image_length=896,
    patch_length=14,
    embedding_length=1152,
    feed_forward_length=4304,
)


def test_guesses_are_as_long_as_the_worker_makes_them():
    assert DRAFT_TOKENS == NGRAM_DRAFT


@pytest.mark.parametrize(("kv_type", "bits"), [("f16", 16), ("q8_0", 8.5), ("q4_0", 4.5)])
def test_a_cache_has_a_row_for_each_token(kv_type, bits):
    layer = LayerShape(0, kv_width=512)
    assert kv_bytes(layer, EngineSettings(kv_type=kv_type), 4096) == 512 * 4096 * bits / 8


def test_slots_share_the_cache():
    layer = LayerShape(0, kv_width=512)
    assert kv_bytes(layer, EngineSettings(parallel=8), 4096) == kv_bytes(layer, ONE, 4096)


def test_a_context_is_padded():
    assert [padded(tokens) for tokens in (1, 256, 257)] == [256, 256, 512]
    assert kv_bytes(LayerShape(0, kv_width=10), ONE, 1000) == 1024 * 10 * 2


def test_a_windowed_cache_has_room_for_each_slots_window_and_a_micro_batch():
    layer = LayerShape(0, kv_width=10, window=128)
    assert kv_bytes(layer, ONE, 32_768) == 768 * 10 * 2  # 128 + 512, padded
    assert kv_bytes(layer, EngineSettings(parallel=8), 32_768) == 1536 * 10 * 2
    assert kv_bytes(layer, ONE, 512) == 512 * 10 * 2  # never more than the context


def test_recurrent_states_are_kept_for_each_slot():
    assert recurrent_bytes(shape(recurrent=7), EngineSettings(parallel=8)) == 56


# ---------------------------------------------------------------- against llama.cpp's own account
# What xllamacpp 2026.10.11549 says that it allocates (its log, in MiB) for sparse files of these shapes.


@pytest.mark.parametrize(
    ("context", "parallel", "kv", "compute"),
    [(4096, 1, 274, 282), (8192, 1, 549, 286), (8192, 8, 549, 286), (131_072, 1, 8784, 406)],
)
def test_kimi_k2_as_llama_cpp_allocates_it(tmp_path, context, parallel, kv, compute):
    write_sparse(tmp_path / "k2.gguf", *kimi_k2())
    model, engine = (
        read_header(tmp_path / "k2.gguf").shape,
        EngineSettings(parallel=parallel, speculation="off"),
    )
    assert sum(kv_bytes(layer, engine, context) for layer in model.layers) / MIB == pytest.approx(kv, abs=0.5)
    assert compute_bytes(model, engine, context) / MIB == pytest.approx(compute, rel=0.06)


@pytest.mark.parametrize(
    ("context", "parallel", "flash_attention", "kv", "compute"),
    [
        (4096, 1, "auto", 114, 100),
        (8192, 8, "auto", 228, 105),
        (32_768, 1, "auto", 786, 128),
        (131_072, 1, "auto", 3090, 224),
        (8192, 1, "off", 210, 1089),
        (32_768, 1, "off", 786, 4209),
    ],
)
def test_gpt_oss_as_llama_cpp_allocates_it(tmp_path, context, parallel, flash_attention, kv, compute):
    write_sparse(tmp_path / "gpt-oss.gguf", *gpt_oss_20b())
    model = read_header(tmp_path / "gpt-oss.gguf").shape
    engine = EngineSettings(parallel=parallel, flash_attention=flash_attention, speculation="off")
    assert sum(kv_bytes(layer, engine, context) for layer in model.layers) / MIB == pytest.approx(kv, abs=0.5)
    # Beside its buffers there are the logits, and the inputs of matrix products in eight bits.
    assert compute_bytes(model, engine, context) / MIB == pytest.approx(compute, rel=0.04, abs=14)


# ---------------------------------------------------------------- whatever the shape


@unhurried
@given(model=shapes(), context=st.integers(1, 200_000), fused=st.sampled_from(["auto", "off"]))
def test_a_longer_context_never_takes_less(model, context, fused):
    engine = EngineSettings(flash_attention=fused)
    assert compute_bytes(model, engine, context) <= compute_bytes(model, engine, context + 256)
    for layer in model.layers:
        assert kv_bytes(layer, engine, context) <= kv_bytes(layer, engine, context + 1)


@unhurried
@given(model=shapes(), context=st.integers(1, 200_000))
def test_attention_that_is_not_fused_takes_more(model, context):
    fused, plain = (
        compute_bytes(model, EngineSettings(flash_attention=each), context) for each in ("on", "off")
    )
    assert fused < plain


def test_a_projector_takes_its_weights_and_its_patches():
    assert EYES.patches == 4096
    assert projector_bytes(EYES) == 4096 * 4 * (2 * 1152 + 2 * 4304)
    engine, budget = EngineSettings(context_length=1024, speculation="off"), Budget(8 * GIB)
    blind, seeing = (plan(shape(projector=each), budget, engine) for each in (None, EYES))
    assert seeing.weights_bytes - blind.weights_bytes == 800 * MIB
    assert seeing.compute_bytes - blind.compute_bytes == projector_bytes(EYES)
    assert seeing.total_bytes == seeing.ram_bytes


def test_a_projector_lies_on_the_first_gpu():
    eyes = msgspec.structs.replace(EYES, weights_bytes=100 * MIB)
    engine = EngineSettings(context_length=1024, speculation="off")
    budget = Budget(8 * GIB, (8 * GIB, 8 * GIB))
    blind, seeing = (plan(shape(projector=each), budget, engine) for each in (None, eyes))
    assert seeing.ram_bytes == blind.ram_bytes
    assert seeing.gpu_bytes - blind.gpu_bytes == 100 * MIB + projector_bytes(eyes)


@pytest.mark.parametrize(
    ("speculation", "weights_mb", "sees", "guessed"),
    [
        ("auto", 255, False, 0),
        ("auto", 256, False, DRAFT_TOKENS),
        ("ngram", 1, False, DRAFT_TOKENS),
        ("off", 1000, False, 0),
        ("draft", 1000, False, 0),
        ("auto", 1000, True, 0),
        ("ngram", 1000, True, 0),
    ],
)
def test_guesses_are_made_where_they_pay(speculation, weights_mb, sees, guessed):
    model = shape(0, input_bytes=weights_mb * MIB, output_bytes=0, projector=EYES if sees else None)
    assert guessed_tokens(model, EngineSettings(speculation=speculation)) == guessed


def test_the_vocabulary_counts():
    assert worker_bytes(shape(vocabulary=100_000)) - worker_bytes(shape(vocabulary=0)) == 440 * 100_000
    small, large = shape(vocabulary=1000), shape(vocabulary=100_000)
    guessing = EngineSettings(parallel=8)
    assert compute_bytes(large, guessing, 256) - compute_bytes(small, guessing, 256) >= 4 * 99_000 * (
        8 + DRAFT_TOKENS
    )
