import json

import anyio
import ollama
import pytest

from isthmus.errors import FetchError
from isthmus.messages import Notice, Progress
from isthmus.naming import ModelRef
from isthmus.server import ollama_manage
from isthmus.store import Store
from tests.engines.played import PlayedLoader
from tests.server.test_chat import post, wait_until
from tests.server.test_guard import made
from tests.server.test_ollama import HELLO, HI
from tests.store.samples import gguf_bytes, running_hub


@pytest.fixture
def hub():
    with running_hub() as hub:
        yield hub


@pytest.fixture
def owner(ollama_client):
    """The client of the person who runs the server."""
    return lambda server: ollama_client(server, Authorization=f"Bearer {server.run.key}")


def bearer(server):
    return {"Authorization": f"Bearer {server.run.key}"}


def names(server):
    return [model.name for model in Store(server.settings.home_path).models()]


# ---------------------------------------------------------------- pull


def test_a_model_is_pulled_from_its_source_and_answers(serving, owner, hub):
    content = gguf_bytes(fill=7)
    hub.behave(lambda request: request.serve(content))
    reference = f"{hub.endpoint}/fetched.gguf"
    with serving(PlayedLoader(script=HELLO)) as server:
        client = owner(server)
        lines = list(client.pull(reference, stream=True))
        assert (lines[0].status, lines[-1].status) == ("pulling manifest", "success")
        last = [line for line in lines if line.total][-1]
        assert last.completed == last.total == len(content)
        assert last.digest, "clients draw a bar for each"
        assert "fetched" in names(server)
        assert client.chat("fetched", HI).message.content == "Hello"
        assert client.chat(reference, HI).message.content == "Hello", "the name that it was pulled by"


def test_what_is_here_is_not_pulled_again(serving, owner, hub):
    hub.behave(lambda request: request.serve(gguf_bytes(fill=7)))
    reference = f"{hub.endpoint}/fetched.gguf"
    with serving(PlayedLoader(script=HELLO)) as server:
        assert owner(server).pull(reference).status == "success"
        asked = len(hub.requests)
        assert [line.status for line in owner(server).pull(reference, stream=True)][-1] == "success"
        assert owner(server).pull("scripted:latest").status == "success"
        assert len(hub.requests) == asked


def test_a_fetch_that_fails_says_so_streamed_or_not(serving, owner, hub):
    reference = f"{hub.endpoint}/nothing.gguf"
    with serving(PlayedLoader(script=HELLO)) as server:
        with pytest.raises(ollama.ResponseError, match="could not be fetched") as caught:
            owner(server).pull(reference)
        assert caught.value.status_code >= 400
        with pytest.raises(ollama.ResponseError, match="could not be fetched"):
            list(owner(server).pull(reference, stream=True))


def test_a_name_that_nobody_knows_is_not_found(serving, owner):
    with serving(PlayedLoader(script=HELLO)) as server, pytest.raises(ollama.ResponseError) as caught:
        owner(server).pull("nothing:7b")
    assert caught.value.status_code == 404


@pytest.mark.parametrize("name", ["./some.gguf", "/etc/passwd", "file:/etc/passwd", "~/x", "x.gguf"])
def test_no_file_of_this_machine_is_taken_in(serving, owner, name):
    with serving(PlayedLoader(script=HELLO)) as server, pytest.raises(ollama.ResponseError) as caught:
        list(owner(server).pull(name, stream=True))
    assert caught.value.status_code == 400
    assert "files of this machine" in caught.value.error


def test_a_client_that_hangs_up_ends_the_fetch(serving, owner, monkeypatch):
    begun, ended = [], []

    async def slow(ref, configuration, talk):
        begun.append(ref)
        try:
            await anyio.sleep(60)
        finally:
            ended.append(ref)

    monkeypatch.setattr(ollama_manage, "have_weights", slow)
    with serving(PlayedLoader(script=HELLO)) as server:
        lines = owner(server).pull("some:7b", stream=True)
        assert next(lines).status == "pulling manifest"
        wait_until(lambda: begun)
        lines.close()
        wait_until(lambda: ended == begun)


def test_progress_comes_as_it_is_made_and_the_latest_of_each_kind(serving, owner, monkeypatch):
    async def work(ref, configuration, talk):
        assert ref == ModelRef("name", "some:7b")
        for done in range(1000):
            talk.on_progress(Progress("fetching some:7b", done, 1000))
        talk.on_notice(Notice("source_failed", "going on with the mirror"))
        talk.on_progress(Progress("checking some:7b", 0.5, 1))
        await anyio.sleep(0.01)
        raise FetchError("the line is dead", hint="try again")

    monkeypatch.setattr(ollama_manage, "have_weights", work)
    with serving(PlayedLoader(script=HELLO)) as server:
        _, _, answer = post(server, {"model": "some:7b"}, "/api/pull", **bearer(server))
    assert [json.loads(line) for line in answer.decode().strip().split("\n")] == [
        {"status": "pulling manifest"},
        {"status": "fetching some:7b", "digest": "fetching some:7b", "total": 1000, "completed": 999},
        {"status": "going on with the mirror"},
        {"status": "checking some:7b", "digest": "checking some:7b", "total": 100, "completed": 50},
        {"error": "the line is dead (try: try again)"},
    ]


# ---------------------------------------------------------------- copy, delete


def test_a_model_is_copied_and_deleted(serving, owner):
    loader = PlayedLoader(script=HELLO)
    with serving(loader) as server:
        client = owner(server)
        assert client.copy("scripted", "twin:7b").status == "success"
        assert names(server) == ["scripted", "twin:7b"]
        assert client.chat("twin:7b", HI).message.content == "Hello"
        assert client.delete("twin:7b").status == "success"
        assert names(server) == ["scripted"]
        wait_until(lambda: loader.events == ["+twin:7b", "-twin:7b"])
        with pytest.raises(ollama.ResponseError) as caught:
            client.chat("twin:7b", HI)
        assert caught.value.status_code == 404
        for act in (lambda: client.copy("nothing", "x"), lambda: client.delete("nothing")):
            with pytest.raises(ollama.ResponseError) as caught:
                act()
            assert caught.value.status_code == 404
        with pytest.raises(ollama.ResponseError) as caught:
            client.copy("scripted", "../escape")
        assert caught.value.status_code == 400


def acts(client):
    return (
        lambda: client.pull("scripted"),
        lambda: client.copy("scripted", "twin"),
        lambda: client.delete("scripted"),
    )


def test_where_nobody_has_a_key_none_is_needed_as_at_ollama(serving, ollama_client):
    with serving(PlayedLoader(script=HELLO)) as server:
        for act in acts(ollama_client(server)):
            act()
        assert names(server) == ["twin"]


def test_where_there_are_keys_it_takes_one_that_may(serving, ollama_client):
    with serving(PlayedLoader(script=HELLO)) as server:
        asker = made(server)
        for headers, refused in (({}, 401), (asker, 403)):
            for act in acts(ollama_client(server, **headers)):
                with pytest.raises(ollama.ResponseError) as caught:
                    act()
                assert caught.value.status_code == refused
        assert names(server) == ["scripted"]


@pytest.mark.parametrize(
    "header", [{"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_a_page_manages_nothing_without_a_key(serving, ollama_client, header):
    with serving(PlayedLoader(script=HELLO), server__cors_origins=("https://elsewhere.example",)) as server:
        for act in acts(ollama_client(server, **header)):
            with pytest.raises(ollama.ResponseError) as caught:
                act()
            assert caught.value.status_code == 401
        assert names(server) == ["scripted"]


def test_what_is_not_done_here_is_said_with_the_way_that_it_is(serving, owner):
    with serving(PlayedLoader(script=HELLO)) as server:
        with pytest.raises(ollama.ResponseError, match="isthmus pull"):
            owner(server).create("mine", from_="scripted", system="be brief")
        with pytest.raises(ollama.ResponseError, match="not published"):
            owner(server).push("mine")
