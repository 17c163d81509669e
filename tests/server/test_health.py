import threading

from isthmus import __version__
from isthmus.engines.scripted import ScriptedEngine
from isthmus.messages import Finish, TextDelta, Usage
from isthmus.store import Store
from tests.engines.played import PlayedLoader
from tests.server.test_chat import HI, post, wait_until
from tests.server.test_guard import ask, made

HELLO = (TextDelta("Hello"), Finish("stop", Usage(1, 1)))


def test_health_and_readiness_need_no_key_and_tell_no_names(serving):
    with serving(PlayedLoader(script=HELLO), names=("first",)) as server:
        made(server)
        assert ask(server, "GET", "/health")[2] == {"status": "ok", "version": __version__}
        status, headers, body = ask(server, "GET", "/ready")
        assert (status, body) == (200, {"status": "ready", "model": "absent"})
        assert headers["cache-control"] == "no-store"


def test_readiness_says_how_far_the_default_model_is(serving):
    with serving(PlayedLoader(script=HELLO, load_s=0.5), names=("first",)) as server:
        asking = threading.Thread(target=post, args=(server, {"messages": HI}))
        asking.start()
        wait_until(lambda: ask(server, "GET", "/ready")[2]["model"] == "loading")
        wait_until(lambda: ask(server, "GET", "/ready")[2]["model"] == "loaded")
        asking.join()


def test_without_its_weights_a_server_is_not_ready(serving):
    with serving(ScriptedEngine(list(HELLO)), names=("first",)) as server:
        Store(server.settings.home_path).remove("first")
        status, _, body = ask(server, "GET", "/ready")
        assert (status, body["status"], body["reason"]) == (503, "unavailable", "model_not_found")
        assert ask(server, "GET", "/health")[0] == 200


def test_a_runners_model_is_the_runners_matter(serving):
    runner = {
        "providers__ollama__base_url": "http://127.0.0.1:9/v1",
        "providers__ollama__model": "qwen3:8b",
        "providers__ollama__local": True,
    }
    with serving(PlayedLoader(script=HELLO), model="ollama", **runner) as server:
        assert ask(server, "GET", "/ready")[2] == {"status": "ready", "model": "runner"}
