"""Several models behind one address: which may be named, and what a client is told that has to wait."""

import http.client
import json
from contextlib import closing, contextmanager

import openai
import pytest

from isthmus.messages import Finish, TextDelta, Usage
from isthmus.server.answering import INTERNAL
from tests.engines.played import PlayedLoader
from tests.server.test_chat import HI, client, post, wait_until

HELLO = (TextDelta("Hello"), Finish("stop", Usage(1, 1)))
SLOW = (TextDelta("He"), 60.0, *HELLO)
NAMES = ("first", "second:7b")


def get(server, path, **headers):
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())


def ask(server, model, **more):
    return client(server).chat.completions.create(model=model, messages=HI, **more)


@pytest.mark.parametrize("name", [None, "", "default", "first", "FIRST", "first:latest"])
def test_the_default_model_answers_where_none_or_it_is_named(serving, name):
    loader = PlayedLoader(script=HELLO)
    with serving(loader, names=NAMES) as server:
        body = {"messages": HI} if name is None else {"messages": HI, "model": name}
        status, _, answer = post(server, body)
        assert (status, json.loads(answer)["model"]) == (200, "first")
        assert loader.events == ["+first"]


def test_any_model_of_the_store_answers_and_the_ledger_says_which(serving):
    with serving(PlayedLoader(script=HELLO), names=NAMES) as server:
        assert ask(server, "second:7b").model == "second:7b"
        assert "".join(c.choices[0].delta.content or "" for c in ask(server, "first", stream=True)) == "Hello"
        assert [row.model for row in server.ledger.questions(9)] == ["first", "second:7b"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("secnd:7b", "isthmus show second:7b"),
        ("qwen2.5-coder:1.5b", "isthmus pull qwen2.5-coder:1.5b"),
        ("/etc/passwd.gguf", "isthmus pull /etc/passwd.gguf"),
        ("hf:org/repo:q4_k_m", "isthmus pull hf:org/repo:q4_k_m"),
        ("no model's name", "isthmus list"),
    ],
)
def test_any_other_name_is_a_404_that_says_what_to_type_and_fetches_nothing(serving, name, hint):
    with serving(PlayedLoader(script=HELLO), names=NAMES) as server:
        with pytest.raises(openai.NotFoundError) as refused:
            ask(server, name)
        assert (refused.value.body["code"], refused.value.body["param"]) == ("model_not_found", "model")
        assert refused.value.body["hint"] == hint


def test_a_runner_without_a_model_is_a_404_too(serving):
    runner = {"providers__ollama__base_url": "http://127.0.0.1:9/v1", "providers__ollama__local": True}
    with (
        serving(PlayedLoader(script=HELLO), names=NAMES, **runner) as server,
        pytest.raises(openai.NotFoundError, match="which model of ollama") as refused,
    ):
        ask(server, "ollama")
    assert "ollama/MODEL" in refused.value.body["hint"]


def test_the_file_that_the_settings_name_may_be_asked_by_its_name_and_no_other_file(serving, tmp_path):
    file = tmp_path / "some.gguf"
    with serving(PlayedLoader(script=HELLO), names=NAMES, model=str(file)) as server:
        for name in ("some.gguf", str(file), "default"):
            assert ask(server, name).model == "some.gguf"
        assert [each["id"] for each in get(server, "/v1/models")[1]["data"]] == ["some.gguf", *NAMES]


def test_models_are_listed_with_what_is_known_of_them(serving):
    with serving(
        PlayedLoader(script=HELLO),
        names=NAMES,
        providers__ollama__base_url="http://127.0.0.1:9/v1",
        providers__ollama__model="qwen3:8b",
        providers__ollama__local=True,
    ) as server:
        unloaded = {each["id"]: each["context_length"] for each in get(server, "/v1/models")[1]["data"]}
        assert unloaded == {"first": 2048, "ollama/qwen3:8b": None, "second:7b": None}, (
            "as it would be loaded"
        )
        ask(server, "second:7b")
        listed = {each["id"]: each for each in get(server, "/v1/models")[1]["data"]}
        assert list(listed) == ["first", "ollama/qwen3:8b", "second:7b"]
        assert [each["loaded"] for each in listed.values()] == [False, False, True]
        assert listed["second:7b"]["context_length"] == 2048
        assert listed["first"]["size_bytes"] > 0
        assert len(listed["first"]["digest"]) == 64
        one = client(server).models.retrieve("second:7b")
        assert one.model_extra["loaded"] is True
        assert client(server).models.retrieve("ollama/qwen3:8b").id == "ollama/qwen3:8b"
        with pytest.raises(openai.NotFoundError):
            client(server).models.retrieve("other")


def test_the_owner_asks_any_model_without_leaving_a_row(serving):
    with serving(PlayedLoader(script=HELLO), names=NAMES) as server:
        owner = {"Authorization": f"Bearer {server.run.key}", INTERNAL: "1"}
        status, _, answer = post(server, {"messages": HI, "model": "second:7b"}, **owner)
        assert (status, json.loads(answer)["model"]) == (200, "second:7b")
        assert server.ledger.questions(1) == []


def test_a_full_line_is_a_429_with_the_time_to_come_back(serving):
    loader = PlayedLoader(script=SLOW)
    with (
        serving(loader, names=NAMES, engine__parallel=1, engine__max_queue=1) as server,
        begun(server) as _,
    ):
        wait_until(lambda: loader.here and loader.here[0].working)
        with begun(server) as _:
            wait_until(lambda: waiting(server) == 1)
            for stream in (False, True):
                status, headers, answer = post(server, {"messages": HI, "stream": stream})
                assert (status, json.loads(answer)["error"]["code"]) == (429, "busy")
                assert int(headers["retry-after"]) >= 1


@contextmanager
def begun(server, model="default"):
    """A request that was sent, and whose client goes away at the end."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port)) as connection:
        body = json.dumps({"messages": HI, "model": model})
        connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
        yield connection


def test_when_the_server_stops_who_waits_is_sent_away_and_who_is_answered_is_not(serving):
    loader = PlayedLoader(script=(TextDelta("He"), 0.5, *HELLO))
    with (
        serving(loader, names=NAMES, engine__parallel=1) as server,
        begun(server) as answered,
    ):
        wait_until(lambda: loader.here and loader.here[0].working)
        with begun(server) as waits:
            wait_until(lambda: waiting(server) == 1)
            server.stop()
            assert waits.getresponse().status == 429
        response = answered.getresponse()
        assert response.status == 200
        assert json.loads(response.read())["choices"][0]["finish_reason"] == "stop"


def waiting(server):
    owner = {"Authorization": f"Bearer {server.run.key}"}
    return sum(each["waiting"] for each in get(server, "/isthmus/models", **owner)[1]["models"])
