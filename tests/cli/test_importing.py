import json

import pytest

from isthmus.store.store import Store
from tests.store.ollama_store import OllamaStore
from tests.store.samples import gguf_bytes

LIBRARY = "registry.ollama.ai/library"


@pytest.fixture
def theirs(tmp_path) -> OllamaStore:
    """Ollama's store where Ollama keeps it, with two models and one without a GGUF."""
    store = OllamaStore(tmp_path / ".ollama" / "models")
    store.add(f"{LIBRARY}/gardener/7b", store.layer("model", gguf_bytes()))
    store.add(f"{LIBRARY}/baker/latest", store.layer("model", gguf_bytes(fill=9)))
    store.add(f"{LIBRARY}/tensors/latest", store.layer("tensor", b"?"))
    return store


def test_without_a_model_what_ollama_has_is_listed(isthmus, theirs):
    listed = isthmus("import-ollama")
    assert listed.code == 0
    assert [line.split()[0] for line in listed.out.splitlines()] == ["NAME", "baker:latest", "gardener:7b"]
    assert "isthmus import-ollama baker:latest" in listed.err
    assert isthmus("list", "--json").code == 0
    rows = json.loads(isthmus("import-ollama", "--json").out)
    assert [(row["name"], row["stored_name"], row["imported"]) for row in rows] == [
        ("baker:latest", "baker", False),
        ("gardener:7b", "gardener:7b", False),
    ]


def test_a_model_is_taken_in_by_its_name(isthmus, theirs, home):
    taken = isthmus("import-ollama", "gardener:7b")
    assert (taken.code, taken.out) == (0, "")
    assert 'isthmus ask --model gardener:7b "..."' in taken.err
    (model,) = Store(home).models()
    assert model.path.samefile(theirs.folder / "blobs" / model.path.name)
    rows = json.loads(isthmus("import-ollama", "--json").out)
    assert [row["imported"] for row in rows] == [False, True]
    assert isthmus("store", "check").code == 0


def test_all_are_taken_in_and_what_fails_keeps_none_back(isthmus, theirs, home):
    blob = next(
        path for path in (theirs.folder / "blobs").iterdir() if path.read_bytes() == gguf_bytes(fill=9)
    )
    blob.write_bytes(gguf_bytes(fill=8))
    taken = isthmus("import-ollama", "--all", "--json")
    assert taken.code == 4
    assert [row["name"] for row in json.loads(taken.out)] == ["gardener:7b"]
    assert "hint: ollama pull baker:latest" in taken.err
    assert "error: 1 of 2 models could not be taken in" in taken.err
    assert [model.name for model in Store(home).models()] == ["gardener:7b"]


def test_another_name_for_one_model(isthmus, theirs):
    assert isthmus("import-ollama", "gardener:7b", "--name", "mine").code == 0
    assert isthmus("show", "mine").code == 0
    assert isthmus("import-ollama", "--all", "--name", "mine").code == 2
    assert isthmus("import-ollama", "--name", "mine").code == 2


def test_ollama_may_keep_its_models_elsewhere(isthmus, theirs, tmp_path, monkeypatch):
    elsewhere = theirs.folder.rename(tmp_path / "elsewhere")
    assert isthmus("import-ollama").code == 4
    assert "gardener:7b" in isthmus("import-ollama", "--from", str(elsewhere)).out
    monkeypatch.setenv("OLLAMA_MODELS", str(elsewhere))
    assert "gardener:7b" in isthmus("import-ollama").out


def test_a_model_that_ollama_has_not_got(isthmus, theirs):
    missing = isthmus("import-ollama", "gardner:7b")
    assert missing.code == 4
    assert "hint: isthmus import-ollama gardener:7b" in missing.err
