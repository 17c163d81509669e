import json

import pytest

from isthmus.messages import Finish, TextDelta, Usage
from tests.engines.played import MIB, PlayedLoader
from tests.server.test_chat import HI, post
from tests.server.test_models import get

HELLO = (TextDelta("Hello"), Finish("stop", Usage(1, 1)))
NAMES = ("first", "second:7b")


def owner(server):
    return {"Authorization": f"Bearer {server.run.key}"}


def loaded(server):
    status, body = get(server, "/isthmus/models", **owner(server))
    assert status == 200
    return body


def test_models_are_loaded_shown_and_unloaded(serving):
    loader = PlayedLoader(script=HELLO)
    with serving(loader, names=NAMES, mib=20) as server:
        assert loaded(server) == {"budget_bytes": 20 * MIB, "taken_bytes": 0, "models": []}
        status, _, answer = post(server, {}, "/isthmus/models/second:7b/load", **owner(server))
        assert (status, json.loads(answer)) == (200, {"model": "second:7b", "loaded": True})
        body = loaded(server)
        (model,) = body["models"]
        assert body["taken_bytes"] == 10 * MIB
        assert (model["name"], model["state"], model["memory_bytes"]) == ("second:7b", "loaded", 10 * MIB)
        assert (model["slots"], model["busy"], model["waiting"], model["context_length"]) == (8, 0, 0, 2048)
        assert model["idle_since"] < model["until"]
        for was_loaded in (True, False):
            status, _, answer = post(server, {}, "/isthmus/models/second:7b/unload", **owner(server))
            assert json.loads(answer) == {"model": "second:7b", "loaded": False, "was_loaded": was_loaded}
        assert loader.events == ["+second:7b", "-second:7b"]


def test_managing_takes_a_key_even_where_asking_takes_none(serving):
    with serving(PlayedLoader(script=HELLO), names=NAMES) as server:
        assert post(server, {"messages": HI})[0] == 200
        assert get(server, "/isthmus/models")[0] == 401
        for what in ("load", "unload"):
            assert post(server, {}, f"/isthmus/models/first/{what}")[0] == 401
        _, secret = server.keys.create("laptop", scopes=("manage",))
        assert get(server, "/isthmus/models", Authorization=f"Bearer {secret.reveal()}")[0] == 200


def test_a_model_that_is_not_here_or_does_not_fit_is_refused_with_the_reason(serving):
    with serving(PlayedLoader(script=HELLO, sizes={"second:7b": 30}), names=NAMES, mib=20) as server:
        status, _, answer = post(server, {}, "/isthmus/models/other/load", **owner(server))
        assert (status, json.loads(answer)["error"]["code"]) == (404, "model_not_found")
        status, _, answer = post(server, {}, "/isthmus/models/second:7b/load", **owner(server))
        error = json.loads(answer)["error"]
        assert (status, error["code"]) == (503, "does_not_fit")
        assert "30 MiB" in error["message"]
        assert "20 MiB" in error["message"]


@pytest.mark.parametrize("what", ["load", "unload"])
def test_a_runner_loads_its_models_itself(serving, what):
    runner = {
        "providers__ollama__base_url": "http://127.0.0.1:9/v1",
        "providers__ollama__model": "qwen3:8b",
        "providers__ollama__local": True,
    }
    with serving(PlayedLoader(script=HELLO), names=NAMES, **runner) as server:
        status, _, answer = post(server, {}, f"/isthmus/models/ollama/qwen3:8b/{what}", **owner(server))
        assert status == 400
        assert "loads its models itself" in json.loads(answer)["error"]["message"]
