import errno
import os
from pathlib import Path

import pytest

from isthmus.errors import DigestMismatch, InvalidWeights, UnknownModel, UsageError
from isthmus.messages import Notice, Progress
from isthmus.naming import parse_model
from isthmus.store import catalogue
from isthmus.store.sources import ollama
from isthmus.store.sources.ollama import OllamaModel
from isthmus.store.store import Store
from isthmus.trust import verify
from tests.conftest import TINY
from tests.store.ollama_store import OllamaStore
from tests.store.samples import KEYS, gguf_bytes, projector_bytes

LIBRARY = "registry.ollama.ai/library"


@pytest.fixture
def theirs(tmp_path) -> OllamaStore:
    return OllamaStore(tmp_path / ".ollama" / "models")


def known(theirs: OllamaStore) -> list[OllamaModel]:
    return ollama.models(theirs.folder, lambda notice: pytest.fail(notice.text))


def take_in(model: OllamaModel, store: Store, name: str | None = None):
    """The stored model, and what was told."""
    told: list[Notice] = []
    stored = ollama.take_in(model, store, name=name, on_progress=lambda progress: None, on_notice=told.append)
    return stored, [notice.text for notice in told]


# ---------------------------------------------------------------- finding


def test_models_are_listed_by_the_names_that_ollama_shows(theirs):
    weights = theirs.layer("model", gguf_bytes())
    for name in (
        f"{LIBRARY}/gardener/1b",
        "registry.ollama.ai/someone/Mistral/latest",
        "hf.co/maker/Tiny-GGUF/Q4_K_M",
    ):
        theirs.add(name, weights)
    assert {model.name: model.stored_name for model in known(theirs)} == {
        "hf.co/maker/Tiny-GGUF:Q4_K_M": "hf.co-maker-tiny-gguf:q4_k_m",
        "gardener:1b": "gardener:1b",
        "someone/Mistral:latest": "someone-mistral",
    }


def test_a_model_is_found_by_what_a_person_types(theirs):
    theirs.add(f"{LIBRARY}/mistral/latest", theirs.layer("model", gguf_bytes()))
    for typed in ("mistral", "mistral:latest", "Mistral"):
        assert ollama.find(typed, known(theirs)).name == "mistral:latest"
    with pytest.raises(UnknownModel, match="no model named mistrel") as caught:
        ollama.find("mistrel", known(theirs))
    assert caught.value.hint == "isthmus import-ollama mistral"


def test_a_folder_without_models_is_an_error(tmp_path):
    with pytest.raises(UnknownModel, match="keeps no models in"):
        ollama.models(tmp_path / "nowhere", lambda notice: None)


def test_the_folder_is_the_persons_or_the_services_unless_one_is_chosen(tmp_path, monkeypatch):
    service = tmp_path / "service"
    monkeypatch.setattr(ollama, "SERVICE_FOLDER", service)
    own = Path.home() / ".ollama" / "models"
    assert ollama.default_folder(None) == own
    service.mkdir()
    assert ollama.default_folder(None) == service
    own.mkdir(parents=True)
    assert ollama.default_folder(None) == own
    assert ollama.default_folder(tmp_path / "x") == tmp_path / "x"


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"layers": [{"digest": "sha256:../../../etc/passwd", "size": 1}]}']
)
def test_a_manifest_that_makes_no_sense_is_told_and_passed_over(theirs, content):
    theirs.add(f"{LIBRARY}/good/latest", theirs.layer("model", gguf_bytes()))
    theirs.add(f"{LIBRARY}/bad/latest").write_bytes(content)
    told: list[Notice] = []
    assert [model.name for model in ollama.models(theirs.folder, told.append)] == ["good:latest"]
    (notice,) = told
    assert notice.text.startswith("bad:latest can't be read")
    assert notice.hint == "ollama pull bad:latest"


# ---------------------------------------------------------------- taking in


def test_the_tiny_model_is_linked_hashed_and_loads(tiny, theirs, store):
    theirs.add(f"{LIBRARY}/smol/135m", theirs.layer("model", tiny.path))
    (model,) = known(theirs)
    seen: list[Progress] = []
    stored = ollama.take_in(model, store, on_progress=seen.append, on_notice=lambda notice: None)
    assert (stored.name, stored.digest, stored.source) == ("smol:135m", tiny.digest, "ollama:smol:135m")
    assert stored.path.samefile(model.blob(tiny.digest)), "linked, not copied"
    assert seen[-1].done == tiny.size_bytes, "hashed in full"
    with verify(stored, on_progress=lambda progress: pytest.fail("hashed once more")) as verified:
        assert verified.header.has_chat_template


def test_a_name_of_the_catalogue_stays_the_catalogues(tiny, theirs, store):
    theirs.add(f"{LIBRARY}/smollm2/135m", theirs.layer("model", gguf_bytes()))
    theirs.add(f"{LIBRARY}/same/135m", theirs.layer("model", tiny.path))
    same, other = known(theirs)
    assert take_in(other, store)[0].name == f"ollama-{TINY}"
    assert (
        ollama.take_in(same, store, name=TINY, on_progress=lambda _: None, on_notice=lambda _: None).name
        == TINY
    )
    assert catalogue.find(TINY) is not None


def test_what_is_left_behind_is_told(theirs, store):
    keys = {key: value for key, value in KEYS.items() if key != "tokenizer.chat_template"}
    theirs.add(
        f"{LIBRARY}/llava/7b",
        theirs.layer("model", gguf_bytes(keys=keys)),
        theirs.layer("projector", projector_bytes()),
        theirs.layer("adapter", gguf_bytes(fill=4)),
        theirs.layer("template", b"{{ .Prompt }}"),
        theirs.layer("system", b"You are a pirate."),
        theirs.layer("params", b'{"temperature": 0.7, "num_ctx": 4096, "stop": ["<|end|>"]}'),
        theirs.layer("license", b"\n\n   Apache   License\nVersion 2.0, January 2004\n"),
    )
    stored, told = take_in(known(theirs)[0], store)
    assert stored.licence == "Apache License"
    assert stored.description == "Ollama runs it with temperature 0.7, num_ctx 4096"
    assert told == [
        "llava:7b: the adapter is left out",
        "llava:7b: Ollama's system message for it is left out",
        "llava:7b: its weights bring no chat template, and Ollama's, in Go's language, isn't read here",
        "llava:7b: Ollama runs it with temperature 0.7, num_ctx 4096; set here what matters to you",
    ]
    assert stored.path.read_bytes() == gguf_bytes(keys=keys)
    assert stored.projector_path is not None
    assert stored.projector_path.read_bytes() == projector_bytes()
    assert len(list(store.blobs.iterdir())) == 2


def test_a_plain_model_needs_no_words(theirs, store):
    theirs.add(f"{LIBRARY}/plain/1b", theirs.layer("model", gguf_bytes()), theirs.layer("template", b"x"))
    assert take_in(known(theirs)[0], store)[1] == []


def test_where_no_link_can_be_made_the_bytes_are_copied_and_it_is_said(theirs, store, monkeypatch):
    theirs.add(f"{LIBRARY}/plain/1b", theirs.layer("model", gguf_bytes()))

    def refuse(source: Path, target: Path) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    (model,) = known(theirs)
    stored, told = take_in(model, store)
    assert told == [f"plain:1b was copied: no link leads from {store.home} to {theirs.folder}"]
    assert not stored.path.samefile(model.blob(stored.digest))
    assert stored.path.read_bytes() == gguf_bytes()


def test_a_damaged_blob_gets_no_name(theirs, store):
    theirs.add(f"{LIBRARY}/plain/1b", theirs.layer("model", gguf_bytes()))
    (model,) = known(theirs)
    model.blob(model.digests[0]).write_bytes(gguf_bytes(fill=9))
    with pytest.raises(DigestMismatch, match="is damaged") as caught:
        take_in(model, store)
    assert caught.value.hint == "ollama pull plain:1b"
    assert store.models() == []
    assert not [path for path in store.partial.iterdir() if path.suffix != ".lock"]


def test_a_blob_that_is_missing_or_no_gguf_is_an_error(theirs, store):
    theirs.add(f"{LIBRARY}/a/1b", theirs.layer("model", gguf_bytes()))
    theirs.add(f"{LIBRARY}/b/1b", theirs.layer("model", b"not a GGUF"))
    theirs.add(f"{LIBRARY}/c/1b", theirs.layer("tensor", b"safetensors"))
    a, b, c = known(theirs)
    a.blob(a.digests[0]).unlink()
    with pytest.raises(UnknownModel):
        take_in(a, store)
    with pytest.raises(InvalidWeights, match="not a GGUF"):
        take_in(b, store)
    with pytest.raises(InvalidWeights, match="has no GGUF"):
        take_in(c, store)


def test_another_models_name_is_not_taken(theirs, store, tmp_path):
    path = tmp_path / "mine.gguf"
    path.write_bytes(gguf_bytes(fill=9))
    store.add_file(path, "plain:1b")
    theirs.add(f"{LIBRARY}/plain/1b", theirs.layer("model", gguf_bytes()))
    (model,) = known(theirs)
    with pytest.raises(UsageError, match="another model here already") as caught:
        take_in(model, store)
    assert caught.value.hint == "isthmus import-ollama plain:1b --name ollama-plain:1b"
    assert take_in(model, store, "ollama-plain:1b")[0].name == "ollama-plain:1b"


def test_a_newer_version_of_an_imported_model_takes_its_place(theirs, store):
    theirs.add(f"{LIBRARY}/plain/1b", theirs.layer("model", gguf_bytes()))
    take_in(known(theirs)[0], store)
    theirs.add(f"{LIBRARY}/plain/1b", theirs.layer("model", gguf_bytes(fill=9)))
    take_in(known(theirs)[0], store)
    assert store.require(parse_model("plain:1b")).path.read_bytes() == gguf_bytes(fill=9)


def test_both_may_let_go_of_the_bytes(theirs, store):
    theirs.add(f"{LIBRARY}/plain/1b", theirs.layer("model", gguf_bytes()))
    (model,) = known(theirs)
    stored, _ = take_in(model, store)
    model.blob(stored.digest).unlink()
    with verify(store.require(parse_model("plain:1b"))):
        pass
    theirs.layer("model", gguf_bytes())
    store.remove("plain:1b")
    assert model.blob(stored.digest).read_bytes() == gguf_bytes()
