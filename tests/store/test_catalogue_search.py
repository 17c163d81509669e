import pytest

from isthmus.store.catalogue import CATALOGUE
from isthmus.store.catalogue_search import nearest, search


def names(*words):
    return [entry.name for entry in search(words)]


def test_without_words_everything_is_found_in_order():
    assert search([]) == list(CATALOGUE)


@pytest.mark.parametrize(
    ("words", "first"),
    [
        (["kimi"], "kimi-k2:0905"),
        (["Qwen3", "8B"], "qwen3:8b"),
        (["gpt-oss", "thinking"], "gpt-oss:20b"),
        (["mit", "logic"], "deepseek-r1:7b"),
        (["embedding"], "qwen3-embedding:0.6b"),
        (["translation"], "gemma3:4b"),
    ],
)
def test_every_word_must_be_found(words, first):
    assert names(*words)[0] == first


def test_a_name_comes_before_a_description():
    found = names("llama")
    named = [name.startswith("llama") for name in found]
    assert named == sorted(named, reverse=True)
    assert "deepseek-r1:8b" in found


def test_a_capability_and_a_licence_are_words():
    assert names("vision") == ["gemma3:4b", "gemma3:12b", "gemma3:27b", "mistral-small3.2:24b"]
    assert set(names("gemma", "vision")) < set(names("vision"))
    assert names("zzz") == []


@pytest.mark.parametrize(("word", "near"), [("qwn3", "qwen3"), ("kimi-k3", "kimi-k2"), ("zzzz", None)])
def test_a_misspelt_word_has_a_nearest(word, near):
    assert nearest([word]) == near
