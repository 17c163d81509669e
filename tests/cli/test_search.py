import json

import pytest

from isthmus.store import CATALOGUE
from tests.conftest import TINY


def test_all_are_listed_without_words(isthmus):
    found = isthmus("search")
    assert found.code == 0
    header, *lines = found.out.splitlines()
    assert header.split() == ["NAME", "SIZE", "LICENCE", "RUNS", "HERE", "GOOD", "AT"]
    assert [line.split()[0] for line in lines] == [entry.name for entry in CATALOGUE]


def test_words_narrow_it_down(isthmus):
    lines = isthmus("search", "kimi", "thinking").out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["kimi-k2:thinking"]
    assert "583.7 GB" in lines[1]


def test_what_is_here_is_said_to_be(isthmus, tiny_home):
    found = {each["name"]: each["here"] for each in json.loads(isthmus("search", "--json").out)}
    assert [name for name, here in found.items() if here] == [TINY]
    assert "here" in isthmus("search", "smollm2:135m").out


def test_programs_are_told_everything(isthmus):
    (found,) = json.loads(isthmus("search", "gpt-oss:20b", "--json").out)
    assert found["licence"] == "Apache-2.0"
    assert found["context_length"] == 131072
    assert found["capabilities"] == ["tools", "thinking"]
    assert found["reasoning_parser"] == "openai_gptoss"
    assert found["sources"] == ["hf:ggml-org/gpt-oss-20b-GGUF/gpt-oss-20b-MXFP4.gguf"]
    assert found["active_parameters"] < found["parameters"]
    assert isinstance(found["fits"], bool)


@pytest.mark.parametrize(
    ("words", "hint"),
    [(("qwn3",), "isthmus search qwen3"), (("zzzzzz",), "isthmus search, without words, lists all models")],
)
def test_for_nothing_found_there_is_a_hint(isthmus, words, hint):
    ended = isthmus("search", *words)
    assert (ended.code, ended.out) == (4, "")
    assert f"hint: {hint}" in ended.err
    assert json.loads(isthmus("search", *words, "--json").out) == []
