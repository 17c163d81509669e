import pytest

from isthmus.store.gguf import read_header
from isthmus.store.shape import Dimensions, LatentAttention, ModelShape, published, scaled
from tests.store.large import gpt_oss_20b, kimi_k2, write_sparse

KIMI_K2 = Dimensions(
    architecture="deepseek2",
    layers=61,
    embedding_length=7168,
    feed_forward_length=18_432,
    heads=64,
    kv_heads=64,
    head_length=192,
    vocabulary=163_840,
    context_length=131_072,
    experts=384,
    experts_used=8,
    expert_feed_forward_length=2048,
    shared_experts=1,
    dense_layers=1,
    latent=LatentAttention(query_rank=1536, kv_rank=512, rope_length=64, value_length=128),
)
GPT_OSS = Dimensions(
    architecture="gpt-oss",
    layers=24,
    embedding_length=2880,
    feed_forward_length=2880,
    heads=64,
    kv_heads=8,
    head_length=64,
    vocabulary=201_088,
    context_length=131_072,
    experts=32,
    experts_used=4,
    expert_feed_forward_length=2880,
    window=128,
    full_attention_every=2,
)
DENSE = Dimensions(
    architecture="qwen2",
    layers=24,
    embedding_length=896,
    feed_forward_length=4864,
    heads=14,
    kv_heads=2,
    head_length=64,
    vocabulary=151_936,
    context_length=32_768,
    tied=True,
)


def test_parameters_as_the_makers_count_them():
    assert KIMI_K2.parameter_count == pytest.approx(1.026e12, rel=0.001)
    assert GPT_OSS.parameter_count == pytest.approx(20.9e9, rel=0.002)
    assert DENSE.parameter_count == pytest.approx(0.494e9, rel=0.001)


@pytest.mark.parametrize(("dimensions", "made"), [(KIMI_K2, kimi_k2), (GPT_OSS, gpt_oss_20b)])
def test_a_published_shape_is_that_of_the_file(tmp_path, dimensions, made):
    path = tmp_path / "x.gguf"
    weights_bytes = write_sparse(path, *made())
    read, told = read_header(path).shape, published(dimensions, weights_bytes)
    assert told.weights_bytes == read.weights_bytes == weights_bytes
    for name in ModelShape.__struct_fields__:
        if not name.endswith("_bytes") and name != "layers":
            assert getattr(told, name) == getattr(read, name), name
    for ours, theirs in zip(told.layers, read.layers, strict=True):
        assert (ours.kv_width, ours.window) == (theirs.kv_width, theirs.window)
    assert told.expert_bytes == pytest.approx(read.expert_bytes, rel=0.1)


def test_tied_embeddings_have_no_output_matrix():
    shape = published(DENSE, 400_000_000)
    assert (shape.output_bytes, shape.weights_bytes) == (0, 400_000_000)
    assert shape.input_bytes == pytest.approx(400e6 * 151_936 * 896 / DENSE.parameter_count, rel=0.001)


def test_scaling_changes_the_weights_alone():
    shape = published(KIMI_K2, 1_000_000_000)
    half = scaled(shape, 0.5)
    assert half.weights_bytes == pytest.approx(5e8, rel=1e-6)
    assert half.expert_bytes == pytest.approx(shape.expert_bytes / 2, rel=1e-6)
    assert [layer.kv_width for layer in half.layers] == [576] * 61
