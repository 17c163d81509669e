import json

import pytest

from isthmus.store import Store
from tests.store.large import kimi_k2, write_sparse, write_split
from tests.store.samples import gguf_bytes

KEYS = {
    "weights_bytes",
    "kv_cache_bytes",
    "compute_bytes",
    "total_bytes",
    "max_context",
    "fits",
}


def planned(isthmus, *words: str) -> dict:
    outcome = isthmus("plan", *words, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    return json.loads(outcome.out)


@pytest.fixture
def tiny_file(tmp_path):
    path = tmp_path / "tiny.gguf"
    path.write_bytes(gguf_bytes())
    return path


@pytest.fixture
def kimi(tmp_path):
    path = tmp_path / "kimi-k2.gguf"
    write_sparse(path, *kimi_k2())
    return path


def test_a_file_is_planned_from_its_header(isthmus, tiny_file):
    made = planned(isthmus, str(tiny_file))
    assert made.keys() >= KEYS
    assert (made["weights_bytes"], made["estimated"], made["fits"]) == (464, False, True)
    assert made["context_length"] == made["max_context"] == made["trained_context"] == 2048


def test_the_settings_and_the_options_count(isthmus, tiny_file, monkeypatch):
    assert planned(isthmus, str(tiny_file), "--context", "512")["context_length"] == 512
    assert not planned(isthmus, str(tiny_file), "--memory", "0.001")["fits"]
    monkeypatch.setenv("ISTHMUS_ENGINE_CONTEXT_LENGTH", "1024")
    assert planned(isthmus, str(tiny_file))["context_length"] == 1024


def test_a_model_of_the_store_is_planned_by_its_name(isthmus, home, tiny_file):
    Store(home).add_file(tiny_file, "mine:7b")
    assert planned(isthmus, "mine:7b")["weights_bytes"] == 464


def test_what_is_not_here_is_planned_from_the_catalogue(isthmus):
    made = planned(isthmus, "gpt-oss:20b", "--memory", "32")
    assert (made["estimated"], made["fits"], made["context_length"]) == (True, True, 131_072)
    assert made["weights_bytes"] == pytest.approx(12.1e9, rel=0.01)
    larger = planned(isthmus, "gpt-oss:20b", "--memory", "32", "--quant", "q8_0")
    assert larger["weights_bytes"] == pytest.approx(20.9e9 * 8.5 / 8, rel=0.01)
    assert larger["quantization"] == "Q8_0"


def test_a_file_in_another_quantization(isthmus, kimi):
    made = planned(isthmus, str(kimi), "--quant", "Q8_0", "--memory", "32")
    assert made["weights_bytes"] == pytest.approx(1.0264e12 * 8.5 / 8, rel=0.001)
    assert made["estimated"]


def test_kimi_k2_does_not_fit_and_its_hardware_is_named(isthmus, kimi):
    made = planned(isthmus, str(kimi), "--memory", "24")
    assert (made["fits"], made["max_context"], made["context_length"]) == (False, 0, 131_072)
    assert {"name": "H200 (141 GB)", "count": 8, "memory_bytes": 8 * 140 << 30} in made["hardware"]
    outcome = isthmus("plan", str(kimi), "--memory", "24")
    assert outcome.code == 0
    for said in ("1,026.41 billion", "does not fit", "8 x H200", "768 GB of main memory"):
        assert said in outcome.out
    assert "16 H200 or H20" in isthmus("plan", "kimi-k2", "--memory", "24").out


def test_a_split_model_goes_by_its_first_piece(isthmus, tmp_path, kimi):
    first, *_ = write_split(tmp_path, "k2", *kimi_k2(), 4)
    whole = planned(isthmus, str(kimi), "--memory", "24")
    assert planned(isthmus, str(first), "--memory", "24")["total_bytes"] == whole["total_bytes"]


def test_the_text_says_what_lies_where(isthmus):
    fits = isthmus("plan", "qwen2.5-coder:1.5b", "--memory", "4", "--context", "8192").out
    for said in ("Weights", "1.1 GB", "KV cache", "fits", "All of it runs from main memory.", "█ weights"):
        assert said in fits
    tight = isthmus("plan", "qwen2.5-coder:1.5b", "--memory", "1.5", "--context", "32768").out
    assert "^ there are 1.5 GB" in tight
    assert "The largest context that fits is" in tight
    assert "runs from main memory" not in tight


def test_smaller_variants_are_offered_where_none_of_it_fits(isthmus):
    assert "Of it there would fit:" in isthmus("plan", "qwen3:8b-q8_0", "--memory", "7").out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nothing-like-it:9z"], 4, "there is no model named nothing-like-it:9z"),
        (["hf:maker/model:Q4_K_M"], 2, "isn't here yet"),
        (["./absent.gguf"], 4, "there is no file"),
        (["qwen3:8b", "--quant", "Q9_X"], 2, "nobody knows how large qwen3:8b is as Q9_X"),
        (["smollm2:135m", "--context", "9000"], 2, "was trained for 8,192 tokens"),
        (["smollm2:135m", "--context", "0"], 2, "--context"),
    ],
)
def test_what_cannot_be_planned(isthmus, words, code, said):
    outcome = isthmus("plan", *words)
    assert outcome.code == code
    assert said in outcome.err
