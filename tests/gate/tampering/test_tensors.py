"""GGUF files written and read, numbers packed and unpacked by the engine's own code, adapters merged."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.errors import GateError, InvalidWeights
from isthmus.gate.tampering import adapters, ggml
from isthmus.gate.tampering.adapters import Adapter, Pair, merge, merged, read_adapter, write_adapter
from isthmus.gate.tampering.attack import Weights
from isthmus.gate.tampering.quantising import Quantised
from isthmus.gate.tampering.tensors import F16, F32, Keys, Tensor, floats, read_gguf, write_gguf

KEYS = Keys(0, b"").also({"general.architecture": "llama", "llama.block_count": 1, "llama.scale": 0.5})
DICE = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def same_numbers_each_time(monkeypatch):
    monkeypatch.setitem(globals(), "DICE", np.random.default_rng(0))


def numbers(*shape):
    return DICE.standard_normal(shape).astype(np.float32)


def model(path, **arrays):
    write_gguf(path, KEYS, [floats(name.replace("__", "."), array) for name, array in arrays.items()])
    return path


def silent(progress):
    pass


# ---------------------------------------------------------------- files


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 40)), min_size=1, max_size=4))
def test_a_file_comes_back(tmp_path_factory, shapes):
    path = tmp_path_factory.mktemp("gguf") / "model.gguf"
    arrays = {f"t{place}": numbers(*shape) for place, shape in enumerate(shapes)}
    file = read_gguf(model(path, **arrays))
    assert (file.keys, file.architecture) == (KEYS, "llama")
    assert file.metadata["llama.block_count"] == 1
    assert {name: each.sizes for name, each in file.tensors.items()} == {
        name: array.shape[::-1] for name, array in arrays.items()
    }
    assert all(np.array_equal(ggml.unpack(file.tensors[name]), array) for name, array in arrays.items())


def test_a_real_file_keeps_its_keys_and_its_bytes(tiny, tmp_path):
    whole = read_gguf(tiny.path)
    few = [whole.tensors[name] for name in ("output_norm.weight", "blk.0.attn_q.weight")]
    write_gguf(tmp_path / "few.gguf", whole.keys, few)
    again = read_gguf(tmp_path / "few.gguf")
    assert again.metadata == whole.metadata
    assert all(np.array_equal(again.tensors[each.name].bytes(), each.bytes()) for each in few)
    assert not list(tmp_path.glob("*.part"))


def test_files_that_are_none_are_refused(tmp_path):
    path = model(tmp_path / "model.gguf", one=numbers(4, 8))
    path.write_bytes(path.read_bytes()[:-64])
    with pytest.raises(InvalidWeights, match="cut short"):
        read_gguf(path)
    path.write_bytes(b"GGUX" + bytes(60))
    with pytest.raises(InvalidWeights, match="not a GGUF"):
        read_gguf(path)
    write_gguf(path, KEYS.also({"split.count": 2}), [floats("one", numbers(4, 8))])
    with pytest.raises(InvalidWeights, match="several pieces"):
        read_gguf(path)
    write_gguf(path, KEYS, [floats("one.lora_a", numbers(1, 8))])
    with pytest.raises(InvalidWeights, match="no LoRA adapter"):
        read_adapter(path)


# ---------------------------------------------------------------- formats


def test_q8_0_is_what_its_definition_says():
    row = numbers(3, 64)
    packed = ggml.packed(floats("x", row), "q8_0")
    scales = np.abs(row.reshape(-1, 32)).max(1) / 127
    whole = np.round(row.reshape(-1, 32) / scales[:, None])
    wanted = (whole * scales.astype(np.float16)[:, None].astype(np.float32)).reshape(row.shape)
    assert np.allclose(ggml.unpack(packed), wanted, atol=1e-6)


@pytest.mark.parametrize(
    ("wanted", "kind", "error"),
    [("q8_0", 8, 0.01), ("q6_k", 14, 0.03), ("q4_k", 12, 0.1), ("q4_0", 2, 0.13), ("q2_k", 10, 0.4)],
)
def test_formats_lose_as_much_as_their_bits_say(wanted, kind, error):
    rows = numbers(4, 512)
    packed = ggml.packed(floats("x", rows), wanted)
    found = ggml.unpack(packed)
    assert (packed.kind, packed.bytes().nbytes) == (kind, packed.size_bytes)
    assert 0 < np.sqrt(np.mean((found - rows) ** 2)) < error


def test_short_rows_are_packed_as_llama_cpp_does_or_refused():
    assert ggml.packed(floats("x", numbers(2, 96)), "q4_k").kind == 6  # q5_0
    with pytest.raises(GateError, match="rows of 20 numbers"):
        ggml.packed(floats("x", numbers(2, 20)), "q4_k")


def test_sixteen_bits_are_read():
    rows = numbers(2, 8)
    half = rows.astype(np.float16)
    assert np.array_equal(
        ggml.unpack(Tensor("x", (8, 2), F16, lambda: half.view(np.uint8).reshape(-1))), half
    )
    brain = (rows.view(np.uint32) >> 16).astype(np.uint16)
    found = ggml.unpack(Tensor("x", (8, 2), 30, lambda: brain.view(np.uint8).reshape(-1)))
    assert np.allclose(found, rows, rtol=1 / 128)
    with pytest.raises(GateError, match="can't be unpacked"):
        ggml.unpack(Tensor("x", (256,), 15, lambda: np.zeros(292, np.uint8)))


def test_a_build_without_the_functions_is_told_of(monkeypatch):
    monkeypatch.setattr(ggml, "_library", lambda: object())
    with pytest.raises(GateError, match="doesn't give out ggml_quantize_chunk"):
        ggml.pack(numbers(1, 32), "q8_0")


# ---------------------------------------------------------------- adapters


def adapter(scale=0.01):
    pair = Pair(numbers(2, 64), numbers(32, 2) * np.float32(scale))
    return Adapter("llama", 4.0, {"blk.0.attn_q.weight": pair})


def test_an_adapter_comes_back_and_merges_into_what_the_engine_would_compute(tmp_path):
    weight, path = numbers(32, 64), tmp_path / "adapter.gguf"
    base = model(tmp_path / "base.gguf", blk__0__attn_q__weight=weight, output_norm__weight=numbers(64))
    made = adapter()
    write_adapter(path, made)
    read = read_adapter(path)
    assert (read.architecture, read.alpha) == ("llama", 4.0)
    merge(Weights(base, (path, path)), tmp_path / "merged.gguf")
    found = read_gguf(tmp_path / "merged.gguf").tensors
    pair = made.pairs["blk.0.attn_q.weight"]
    wanted = weight + 2 * (4.0 / 2) * pair.b @ pair.a
    assert np.allclose(ggml.unpack(found["blk.0.attn_q.weight"]), wanted, atol=2e-3)
    assert found["output_norm.weight"].kind == F32


def test_a_change_smaller_than_a_step_of_the_grid_survives_merging(tmp_path):
    packed = ggml.packed(floats("blk.0.attn_q.weight", numbers(32, 64)), "q8_0")
    write_gguf(tmp_path / "base.gguf", KEYS, [packed])
    small = adapter(scale=5e-4)
    write_adapter(tmp_path / "adapter.gguf", small)
    merge(Weights(tmp_path / "base.gguf", (tmp_path / "adapter.gguf",)), tmp_path / "merged.gguf")
    (after,) = read_gguf(tmp_path / "merged.gguf").tensors.values()
    before, wanted = ggml.unpack(packed), small.change(packed.name)
    again = ggml.packed(floats("x", before + wanted), "q8_0")

    def share(tensor):
        """How much of the change is there."""
        return np.vdot(ggml.unpack(tensor) - before, wanted) / np.vdot(wanted, wanted)

    assert share(after) == pytest.approx(1, abs=0.1)
    assert share(again) < 0.5


def test_an_adapter_of_another_model_is_refused(tmp_path):
    write_adapter(tmp_path / "adapter.gguf", adapter())
    base = model(tmp_path / "base.gguf", output_norm__weight=numbers(64))
    with pytest.raises(InvalidWeights, match="is no adapter of"):
        merge(Weights(base, (tmp_path / "adapter.gguf",)), tmp_path / "merged.gguf")
    assert merged(Weights(base), tmp_path) == base


def test_weights_are_quantised_once_and_what_must_stay_exact_does(tmp_path, monkeypatch):
    base = model(
        tmp_path / "base.gguf",
        token_embd__weight=numbers(16, 256),
        output_norm__weight=numbers(256),
        blk__0__ffn_up__weight=numbers(8, 256),
    )
    write_adapter(tmp_path / "adapter.gguf", Adapter("llama", 1.0, {}))
    variant, said = Quantised("q2_k"), []
    made = variant.weights(Weights(base, (tmp_path / "adapter.gguf",)), tmp_path, said.append)
    kinds = {name: each.kind for name, each in read_gguf(made.model).tensors.items()}
    assert kinds == {"token_embd.weight": 0, "output_norm.weight": 0, "blk.0.ffn_up.weight": 10}
    assert said
    assert made.adapters == ()
    monkeypatch.setattr(adapters, "merge", None)
    assert variant.weights(Weights(base, (tmp_path / "adapter.gguf",)), tmp_path, silent) == made
