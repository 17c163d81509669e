"""Shapes to plan for."""

from hypothesis import settings
from hypothesis import strategies as st

from isthmus.store.shape import LayerShape, ModelShape
from tests.store.test_shape import DENSE, GPT_OSS, KIMI_K2

__all__ = ["DENSE", "GIB", "GPT_OSS", "KIMI_K2", "MIB", "shape", "shapes", "unhurried"]

unhurried = settings(deadline=None)
"""A busy machine takes its time; how long a plan takes isn't what these tests are about."""

MIB, GIB = 1 << 20, 1 << 30


def shape(layers: int = 4, *, experts: int = 0, window: int = 0, recurrent: int = 0, **fields) -> ModelShape:
    """A small model: layers of 100 MiB, of which ``experts`` MiB are a mixture's."""
    layer = LayerShape(100 * MIB, experts * MIB, kv_width=512)
    windowed = LayerShape(100 * MIB, experts * MIB, kv_width=512, window=window)
    defaults = {
        "architecture": "llama",
        "layers": tuple(windowed if window and number % 2 == 0 else layer for number in range(layers)),
        "embedding_length": 512,
        "feed_forward_length": 2048,
        "heads": 8,
        "head_length": 64,
        "vocabulary": 32_000,
        "context_length": 32_768,
        "input_bytes": 50 * MIB,
        "output_bytes": 60 * MIB,
        "experts": 8 if experts else 0,
        "experts_used": 2 if experts else 0,
        "expert_feed_forward_length": 1024 if experts else 0,
        "recurrent_bytes": recurrent,
    }
    return ModelShape(**defaults | fields)


def shapes() -> st.SearchStrategy[ModelShape]:
    """Any model that could be."""
    return st.builds(
        shape,
        st.integers(1, 9),
        experts=st.integers(0, 100),
        window=st.sampled_from([0, 128, 4096]),
        recurrent=st.integers(0, MIB),
        heads=st.integers(0, 64),
        vocabulary=st.integers(0, 300_000),
        context_length=st.integers(0, 200_000),
        input_bytes=st.integers(0, GIB),
        output_bytes=st.integers(0, GIB),
    )
