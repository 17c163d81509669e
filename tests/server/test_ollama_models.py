import http.client
import json
import time
from contextlib import closing

import ollama
import pytest

from isthmus.engines.scripted import ScriptedEngine
from isthmus.store import Store
from tests.engines.played import MIB, PlayedLoader
from tests.server.test_chat import post
from tests.server.test_models import get
from tests.server.test_ollama import HELLO, HI
from tests.store.samples import KEYS, gguf_bytes

NAMES = ("first", "second:7b")


def fetch(server, method, path, **headers):
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read().decode()


# ---------------------------------------------------------------- whether it runs


def test_the_words_that_clients_compare_are_there_without_a_key(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        server.keys.create("laptop")
        for accept in ({}, {"Accept": "*/*"}, {"Accept": "application/json, text/plain, */*"}):
            status, headers, text = fetch(server, "GET", "/", **accept)
            assert (status, text) == (200, "Ollama is running")
            assert headers["x-isthmus-version"]
        assert fetch(server, "HEAD", "/")[0] == 200
        assert fetch(server, "GET", "/api/tags")[0] == 401


def test_a_person_is_told_what_runs(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        _, _, text = fetch(server, "GET", "/", Accept="text/html,application/xhtml+xml,*/*;q=0.8")
    assert text.startswith("Isthmus is running")


def test_the_version_is_new_enough_for_clients_that_look(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        status, version = get(server, "/api/version")
        assert fetch(server, "HEAD", "/api/version")[0] == 200
    assert status == 200
    assert [int(part) for part in version["version"].split(".")] >= [0, 12, 0]
    assert version["isthmus"]


# ---------------------------------------------------------------- which there are


def test_models_are_listed_with_their_tags_and_go_by_them(serving, ollama_client):
    with serving(PlayedLoader(script=HELLO), names=NAMES) as server:
        client = ollama_client(server)
        first, second = client.list().models
        assert (first.model, second.model) == ("first:latest", "second:7b")
        assert first.size == len(gguf_bytes())
        assert len(first.digest) == 64
        assert abs(first.modified_at.timestamp() - time.time()) < 60
        assert (first.details.format, first.details.family, first.details.families) == (
            "gguf",
            "llama",
            ["llama"],
        )
        assert (first.details.parameter_size, first.details.quantization_level) == ("776", "Q4_K_M")
        for name in ("first", "first:latest", "FIRST:latest", "second:7b"):
            assert client.chat(name, HI).model == name
            assert client.show(name).details.family == "llama"
        assert fetch(server, "HEAD", "/api/tags")[0] == 200


def test_a_file_that_is_served_is_listed_and_shown_too(serving, ollama_client, tmp_path):
    (tmp_path / "own.gguf").write_bytes(gguf_bytes())
    with serving(PlayedLoader(script=HELLO), names=("first",), model=str(tmp_path / "own.gguf")) as server:
        client = ollama_client(server)
        own, first = client.list().models
        assert (own.model, own.size, own.details.family) == ("own.gguf", len(gguf_bytes()), "llama")
        assert first.model == "first:latest"
        assert client.show("own.gguf").template == "{{ messages }}"
        assert client.chat("own.gguf", HI).message.content == "Hello"


def test_a_damaged_file_hides_no_other_model(serving, ollama_client):
    with serving(PlayedLoader(script=HELLO), names=NAMES) as server:
        store = Store(server.settings.home_path)
        damaged = store.blobs / f"sha256-{store.models()[0].digest}"
        damaged.write_bytes(b"GGUF")
        assert [model.model for model in ollama_client(server).list().models] == ["first:latest", "second:7b"]
        with pytest.raises(ollama.ResponseError) as caught:
            ollama_client(server).show("first")
    assert "damaged" in caught.value.error or "cut short" in caught.value.error


def test_a_runner_is_listed_and_shown_as_far_as_it_tells(serving, ollama_client):
    runner = {
        "providers__other__base_url": "http://127.0.0.1:9/v1",
        "providers__other__model": "qwen3:8b",
        "providers__other__local": True,
    }
    with serving(PlayedLoader(script=HELLO), **runner) as server:
        client = ollama_client(server)
        assert [each.model for each in client.list().models] == ["scripted:latest", "other/qwen3:8b"]
        assert client.show("other/qwen3:8b").capabilities == ["completion", "tools"]


def test_loaded_models_are_shown_with_their_memory_and_context(serving, ollama_client):
    with serving(PlayedLoader(script=HELLO), names=NAMES) as server:
        client = ollama_client(server)
        assert client.ps().models == []
        client.generate("first", "", keep_alive=600)
        (model,) = client.ps().models
        assert (model.name, model.model) == ("first:latest", "first:latest")
        assert (model.size, model.size_vram, model.context_length) == (10 * MIB, 0, 2048)
        assert 590 < model.expires_at.timestamp() - time.time() <= 600
        assert model.details.family == "llama"
        client.generate("first", "", keep_alive=-1)
        assert client.ps().models[0].expires_at.year > 2100


# ---------------------------------------------------------------- what one is


def test_a_model_is_shown_with_the_keys_of_its_file(serving, ollama_client):
    with serving(PlayedLoader(script=HELLO), names=NAMES) as server:
        client = ollama_client(server)
        shown = client.show("second:7b")
        client.generate("second:7b", "")
        assert client.show("second:7b").parameters == "num_ctx 2048"
        status, _, body = post(server, {"name": "first"}, "/api/show")
    assert shown.template == "{{ messages }}"
    assert shown.modelinfo["general.architecture"] == "llama"
    assert shown.modelinfo["llama.context_length"] == 2048
    assert shown.modelinfo["general.parameter_count"] == 776
    assert shown.modelinfo["tokenizer.ggml.tokens"] == []
    assert not {"tokenizer.chat_template", "general.name"} & shown.modelinfo.keys()
    assert shown.capabilities == ["completion"]
    assert (status, json.loads(body)["details"]["family"]) == (200, "llama"), "the name it had before"


@pytest.mark.parametrize(
    ("keys", "capabilities"),
    [
        ({"tokenizer.chat_template": "{% if tools %}{% endif %}"}, ["completion", "tools"]),
        ({"tokenizer.chat_template": "{{ enable_thinking }}"}, ["completion", "thinking"]),
        ({"tokenizer.ggml.fim_pre_token_id": 1}, ["completion", "insert"]),
        ({"llama.pooling_type": 1}, ["embedding"]),
        ({"general.architecture": "nomic-bert"}, ["embedding"]),
    ],
)
def test_what_a_model_can_do_is_read_from_its_file(serving, ollama_client, tmp_path, keys, capabilities):
    (tmp_path / "other.gguf").write_bytes(gguf_bytes(keys=KEYS | keys))
    with serving(PlayedLoader(script=HELLO)) as server:
        Store(server.settings.home_path).add_file(tmp_path / "other.gguf", "other")
        assert ollama_client(server).show("other").capabilities == capabilities


def test_a_model_that_is_not_here_is_not_shown(serving, ollama_client):
    with serving(PlayedLoader(script=HELLO)) as server:
        with pytest.raises(ollama.ResponseError, match="not found") as caught:
            ollama_client(server).show("nothing:7b")
        assert caught.value.status_code == 404
        assert post(server, {}, "/api/show")[0] == 400
