import hashlib
import json

import pytest

from isthmus.store import CATALOGUE
from tests.conftest import TINY
from tests.store.samples import KEYS, gguf_bytes


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "My Model-Q4_K.gguf"
    path.write_bytes(gguf_bytes())
    return path


def test_a_file_is_taken_in_listed_shown_and_removed(isthmus, weights):
    pulled = isthmus("pull", str(weights))
    assert (pulled.code, pulled.out) == (0, "")
    assert "isthmus ask --model my-model-q4_k" in pulled.err

    (listed,) = json.loads(isthmus("list", "--json").out)["models"]
    assert listed["name"] == "my-model-q4_k"
    assert listed["digest"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert "my-model-q4_k" in isthmus("list").out.split("On offer")[0]

    shown = isthmus("show", "my-model-q4_k")
    assert shown.code == 0
    for value in ("llama", "2,048 tokens", listed["digest"], str(weights)):
        assert value in shown.out

    removed = isthmus("rm", "my-model-q4_k")
    assert (removed.code, removed.out) == (0, "")
    assert json.loads(isthmus("list", "--json").out)["models"] == []
    assert isthmus("show", "my-model-q4_k").code == 4
    assert weights.exists()


def test_a_file_can_be_given_a_name(isthmus, weights):
    assert isthmus("pull", str(weights), "--name", "mine:7b").code == 0
    assert isthmus("show", "mine:7b").code == 0


def test_a_model_that_thinks_says_as_which_family(isthmus, tmp_path):
    path = tmp_path / "thinks.gguf"
    template = "<|im_start|>{% if enable_thinking %}<think>{% endif %}"
    path.write_bytes(gguf_bytes(keys={**KEYS, "tokenizer.chat_template": template}))
    shown = isthmus("show", str(path)).out
    assert "as Qwen3" in shown
    assert "unverified on thinking weights" in " ".join(shown.split())


def test_a_file_can_be_shown_before_it_is_taken_in(isthmus, weights):
    shown = json.loads(isthmus("show", str(weights), "--json").out)
    assert shown["header"]["context_length"] == 2048
    assert shown["weights"]["name"] is None
    assert shown["weights"]["size_bytes"] == weights.stat().st_size
    assert isthmus("show", str(weights)).out.startswith("Name:")


def test_without_models_a_few_that_fit_are_listed_and_where_the_others_are(isthmus):
    listed = isthmus("list")
    assert listed.code == 0
    assert "No model is here yet." in listed.err
    assert f"isthmus search lists all {len(CATALOGUE)}" in listed.err
    offered = [line for line in listed.out.splitlines() if any(line.startswith(e.name) for e in CATALOGUE)]
    assert len(offered) <= 3
    offers = json.loads(isthmus("list", "--json").out)["offers"]
    assert [offer["name"] for offer in offers] == [entry.name for entry in CATALOGUE]


def test_what_is_here_is_not_offered_again(isthmus, tiny_home):
    offers = json.loads(isthmus("list", "--json").out)["offers"]
    assert TINY not in [offer["name"] for offer in offers]
    assert len(offers) == len(CATALOGUE) - 1


def test_a_model_that_isnt_here_is_shown_as_the_catalogue_knows_it(isthmus):
    shown = isthmus("show", "gpt-oss")
    assert shown.code == 0
    for value in (
        "gpt-oss:20b",
        "12.1 GB",
        "Apache-2.0",
        "131,072 tokens",
        "MXFP4",
        "tools, thinking",
        "Runs here:",
    ):
        assert value in shown.out
    assert "isthmus pull gpt-oss:20b" in shown.err
    offer = json.loads(isthmus("show", "gpt-oss", "--json").out)
    assert (offer["weights"], offer["header"]) == (None, None)
    assert offer["offer"]["digest"].startswith("27cd6c43")
    assert offer["offer"]["here"] is False


def test_a_variant_can_be_shown_and_one_that_fits_nowhere(isthmus):
    assert "qwen3:8b-q8_0 (8.7 GB)" in isthmus("show", "qwen3:8b").out
    assert "8.7 GB" in isthmus("show", "qwen3:8b-q8_0").out
    server_sized = isthmus("show", "kimi-k2:thinking").out
    assert "583.7 GB" in server_sized
    assert "as the repository gives it" in server_sized


def test_an_alias_shows_the_model_that_is_here(isthmus, tiny_home):
    assert "GGUF" not in isthmus("show", TINY).err
    assert isthmus("show", TINY).out.startswith(f"Name:           {TINY}")


def test_what_is_here_by_name_need_not_be_pulled_again(isthmus, weights):
    isthmus("pull", str(weights), "--name", "mine")
    pulled = isthmus("pull", "mine")
    assert pulled.code == 0
    assert "mine is here" in pulled.err


def test_offline_nothing_is_fetched(isthmus, monkeypatch):
    monkeypatch.setenv("ISTHMUS_OFFLINE", "true")
    pulled = isthmus("pull", CATALOGUE[0].name)
    assert pulled.code == 5
    assert pulled.err.startswith("error: ")


@pytest.mark.parametrize(
    ("words", "code", "hint"),
    [
        (("pull", "smollm2:13m"), 4, "isthmus pull smollm2:135m"),
        (("pull", "./nowhere.gguf"), 4, "isthmus list"),
        (("pull", "smollm2:135m", "--name", "x"), 2, "isthmus list"),
        (("pull", "two words"), 4, "isthmus list"),
        (("show", "smollm2:13m"), 4, "isthmus pull smollm2:135m"),
        (("show", "./nowhere.gguf"), 4, "isthmus list"),
        (("rm", "smollm2:135m"), 4, "isthmus pull smollm2:135m"),
        (("rm", "./x.gguf"), 2, "isthmus list"),
    ],
)
def test_mistakes_are_told_with_what_to_type_next(isthmus, words, code, hint):
    ended = isthmus(*words)
    assert (ended.code, ended.out) == (code, "")
    assert "Traceback" not in ended.err
    assert f"hint: {hint}\n" in ended.err


def test_a_truncated_file_is_refused(isthmus, weights):
    weights.write_bytes(weights.read_bytes()[:-1])
    for command in ("pull", "show"):
        ended = isthmus(command, str(weights))
        assert ended.code == 4
        assert "cut short" in ended.err


def test_the_models_of_a_runner_are_its_own(isthmus, tmp_path):
    (tmp_path / "work" / "isthmus.toml").write_text(
        '[providers.ollama]\nbase_url = "http://127.0.0.1:11434/v1"\nlocal = true\n'
    )
    for command in ("pull", "show", "rm"):
        ended = isthmus(command, "ollama/qwen3:8b")
        assert ended.code in (2, 4)
        assert "ollama" in ended.err


def test_a_damaged_entry_is_noted_and_the_others_listed(isthmus, weights, home):
    isthmus("pull", str(weights), "--name", "mine")
    (home / "models" / "other").mkdir()
    (home / "models" / "other" / "7b.json").write_text("{")
    listed = isthmus("list")
    assert listed.code == 0
    assert "mine" in listed.out
    assert "note: " in listed.err
    assert "hint: isthmus rm other:7b" in listed.err
