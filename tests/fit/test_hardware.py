import pytest

from isthmus.fit.hardware import ACCELERATORS, Hardware, main_memory, published_unit, serving
from isthmus.settings import EngineSettings
from isthmus.store.gguf import read_header
from isthmus.store.shape import published
from tests.fit.shapes import DENSE, GIB, GPT_OSS, KIMI_K2
from tests.store.large import kimi_k2, write_sparse

ENGINE = EngineSettings()


def named(model, context: int) -> dict[str, int]:
    return {each.name: each.count for each in serving(model, ENGINE, context)}


def test_kimi_k2_in_four_bits_takes_a_server(tmp_path):
    path = tmp_path / "k2.gguf"
    write_sparse(path, *kimi_k2())
    model = read_header(path).shape
    kinds = named(model, 131_072)
    assert kinds["H200 (141 GB)"] == 8
    assert kinds["A100 or H100 (80 GB)"] == 8
    assert not any("RTX" in name or "Apple" in name for name in kinds)
    assert main_memory(model, ENGINE, 131_072) == 768 * GIB


def test_kimi_k2_as_it_was_published():
    in_eight_bits = published(KIMI_K2, 1_030_000_000_000)
    assert named(in_eight_bits, 131_072)["H200 (141 GB)"] == 8
    assert "16 H200 or H20" in (published_unit("kimi-k2:0905") or "")
    assert published_unit("Kimi K2 Instruct") == published_unit("kimi-k2")
    assert published_unit("qwen3:8b") is None


def test_small_models_name_what_stands_on_a_desk():
    kinds = named(published(GPT_OSS, 12_109_566_624), 131_072)
    assert kinds["RTX 4090 (24 GB)"] == 1
    assert [name for name in kinds if name.startswith("Apple")] == ["Apple M-series (24 GB)"]
    assert main_memory(published(DENSE, 491_400_064), ENGINE, 4096) == 16 * GIB


def test_what_is_named_is_the_least_that_holds_it():
    sizes = [hardware.memory_bytes for hardware in serving(published(GPT_OSS, 63 * 10**9), ENGINE, 32_768)]
    assert sizes == sorted(sizes)
    assert min(sizes) > 63 * 10**9


def test_nothing_serves_what_is_too_large_for_all():
    assert serving(published(KIMI_K2, 10**15), ENGINE, 4096) == []
    assert main_memory(published(KIMI_K2, 10**15), ENGINE, 4096) is None


@pytest.mark.parametrize("accelerator", ACCELERATORS, ids=lambda each: each.name)
def test_counts_are_powers_of_two(accelerator):
    assert all(count & (count - 1) == 0 for count in accelerator.counts)
    assert str(Hardware(accelerator.name, 1, 0)) == accelerator.name
    assert str(Hardware(accelerator.name, 2, 0)) == f"2 x {accelerator.name}"
