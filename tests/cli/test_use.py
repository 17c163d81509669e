import pytest

from isthmus.configuration import load
from isthmus.store import CATALOGUE
from tests.conftest import TINY
from tests.store.samples import gguf_bytes


def test_a_model_that_is_here_becomes_the_default(isthmus, tiny_home):
    used = isthmus("use", TINY)
    assert (used.code, used.out) == (0, "")
    assert f"{TINY} answers from now on" in used.err
    assert load().settings.model == TINY


def test_a_file_and_a_runner_can_be_the_default(isthmus, tmp_path):
    file = tmp_path / "work" / "some.gguf"
    file.write_bytes(gguf_bytes())
    assert isthmus("use", "./some.gguf").code == 0
    assert load().settings.model == str(file)
    (tmp_path / "work" / "isthmus.toml").write_text(
        '[providers.ollama]\nbase_url = "http://127.0.0.1:11434/v1"\nlocal = true\n'
    )
    assert isthmus("use", "ollama/qwen3:8b").code == 0
    assert load().settings.model == "ollama/qwen3:8b"


@pytest.mark.parametrize(
    ("name", "code", "hint"),
    [
        ("smollm2:13m", 4, "isthmus pull smollm2:135m"),
        ("./nowhere.gguf", 4, "isthmus list"),
        ("hf:org/repo", 2, "isthmus pull hf:org/repo"),
    ],
)
def test_what_isnt_there_changes_nothing(isthmus, name, code, hint):
    ended = isthmus("use", name)
    assert ended.code == code
    assert f"hint: {hint}" in ended.err
    assert load().settings.model == CATALOGUE[0].name


def test_what_cant_be_fetched_changes_nothing(isthmus, monkeypatch):
    monkeypatch.setenv("ISTHMUS_OFFLINE", "true")
    assert isthmus("use", "gpt-oss").code == 5
    assert load().settings.model == CATALOGUE[0].name
