"""The first run, in a terminal: a Hub on loopback has the tiny model as the starter, and a larger one."""

import hashlib
import json
import os
import subprocess
import sys
import tomllib

import msgspec
import pytest

from isthmus.cli import ask, first_run, offers
from isthmus.configuration import load
from isthmus.store import Store, find
from isthmus.store.catalogue import HuggingFace
from tests.cli.hub import serving
from tests.cli.terminal import terminal
from tests.conftest import TINY
from tests.store.samples import gguf_bytes

STARTER, LARGER = "qwen2.5-coder:0.5b", "larger:1b"
LARGE_BYTES = 8 << 20
STARTER_FILE, LARGER_FILE = "maker/starter-GGUF/starter.gguf", "maker/larger-GGUF/larger.gguf"
ASK = ("ask", "--max-tokens", "4", "hi")
COMMAND = """
import sys, msgspec
import isthmus.store
from isthmus.store import catalogue

entries = msgspec.json.decode(open({stand_ins!r}, "rb").read(), type=tuple[catalogue.CatalogueEntry, ...])
catalogue.CATALOGUE = isthmus.store.CATALOGUE = entries

from isthmus.cli import session
from isthmus.cli.main import main
from isthmus.engines.scripted import ScriptedEngine
from isthmus.messages import Finish, ModelInfo, TextDelta, Usage

fetch = session.open_home

async def open_home(configuration, name, talk):
    await (await fetch(configuration, name, talk)).close()
    script = [TextDelta("four"), Finish("stop", Usage(10, 2))]
    return ScriptedEngine(script, script, model=ModelInfo(name, local=True))

if {played}:
    session.open_home = open_home
main(sys.argv[1:])
"""


@pytest.fixture(scope="module")
def weights(tiny):
    return {STARTER_FILE: tiny.path.read_bytes(), LARGER_FILE: gguf_bytes(data_bytes=LARGE_BYTES)}


@pytest.fixture
def hub(weights):
    with serving(weights) as hub:
        yield hub


@pytest.fixture
def stand_ins(weights, tmp_path):
    """A catalogue of two."""

    def stand_in(name, path, quality):
        content = weights[path]
        repository, _, file = path.rpartition("/")
        return msgspec.structs.replace(
            find(TINY),
            name=name,
            description=f"stands in for {name}",
            size_bytes=len(content),
            digest=hashlib.sha256(content).hexdigest(),
            quality=quality,
            sources=(HuggingFace(repository, file),),
        )

    entries = [stand_in(STARTER, STARTER_FILE, 10), stand_in(LARGER, LARGER_FILE, 50)]
    file = tmp_path / "stand-ins.json"
    file.write_bytes(msgspec.json.encode(entries))
    return str(file)


@pytest.fixture
def script(stand_ins):
    """The command line with that catalogue, and a starter that is fetched, but played."""
    return COMMAND.format(stand_ins=stand_ins, played=True)


@pytest.fixture
def environment(hub):
    proxies = {name: "" for name in os.environ if name.lower().endswith("_proxy")}
    return {**proxies, "ISTHMUS_HF_ENDPOINT": hub.endpoint, "ISTHMUS_ENGINE_PARALLEL": "1"}


@pytest.fixture
def here(home):
    return lambda: sorted(model.name for model in Store(home).models())


@pytest.fixture
def default_model(tmp_path):
    def read():
        file = tmp_path / "config" / "isthmus" / "isthmus.toml"
        return tomllib.loads(file.read_text()).get("model") if file.exists() else None

    return read


def test_enter_takes_the_first_and_the_starter_answers_meanwhile(stand_ins, environment, here, default_model):
    with terminal(*ASK, script=COMMAND.format(stand_ins=stand_ins, played=False), **environment) as screen:
        table = screen.wait_for("No model is here yet.*Enter takes 1.*none:")[0]
        assert "measured" in table
        assert table.index(LARGER) < table.index(f"The starter, {STARTER}")
        screen.type("\r")
        screen.wait_for(f"{STARTER} at home")
        screen.wait_for(f"{LARGER} answers from now on")
        assert screen.end() == 0
    assert here() == [LARGER, STARTER]
    assert default_model() == LARGER


def test_the_question_comes_once_in_a_lifetime(script, environment, here):
    with terminal(*ASK, script=script, **environment) as screen:
        screen.wait_for("none:")
        screen.type("s\r")
        screen.wait_for("isthmus recommend")
        screen.wait_for(f"{STARTER} at home")
        assert screen.end() == 0
    with terminal(*ASK, script=script, **environment) as screen:
        screen.wait_for(f"{STARTER} at home")
        assert screen.end() == 0
        assert "No model is here" not in screen.screen
    assert here() == [STARTER]


def test_ctrl_c_after_the_answer_leaves_the_larger_one_for_later(
    script, environment, hub, here, default_model
):
    hub.hold(LARGER_FILE)
    with terminal(*ASK, script=script, **environment) as screen:
        screen.wait_for("none:")
        screen.type("\r")
        screen.wait_for(f"{STARTER} at home")
        screen.wait_for("Ctrl-C leaves it for later")
        screen.type("\x03")
        screen.wait_for(f"isthmus use {LARGER}")
        assert screen.end() == 0
    assert here() == [STARTER]
    assert default_model() is None
    hub.release()
    with terminal("use", LARGER, script=script, **environment) as screen:
        screen.wait_for(f"{LARGER} answers from now on")
        assert screen.end() == 0
    assert default_model() == LARGER


def test_a_chat_goes_on_while_it_is_fetched(script, environment, hub, here, default_model):
    held = hub.hold(LARGER_FILE)
    with terminal("chat", "--max-tokens", "4", script=script, **environment) as screen:
        screen.wait_for("none:")
        screen.type("\r")
        screen.wait_for(f"{LARGER}: ")
        held.set()
        screen.type("hi\r")
        screen.wait_for("is.?here")
        screen.type("\x04")
        assert screen.end() == 0
    assert here() == [LARGER, STARTER]
    assert default_model() == LARGER


# ---------------------------------------------------------------- who is asked


@pytest.fixture
def asked(monkeypatch, home):
    """Whether a person at a terminal is asked, under these settings."""
    offered = []
    monkeypatch.setattr(first_run, "can_ask", lambda: True)
    monkeypatch.setattr(offers, "offer", lambda starter, settings: offered.append(starter.name))

    def choose(**layers):
        offered.clear()
        first_run.choose(load(**layers))
        return bool(offered)

    return choose


def test_who_has_nothing_yet_and_has_decided_nothing_is_asked(asked):
    assert asked()
    assert asked(flags={"effort": "low"})


def test_whoever_named_a_model_is_not_asked(asked):
    assert not asked(flags={"model": STARTER})
    assert not asked(flags={"model": "./some.gguf"})


def test_whoever_is_offline_is_not_asked(asked):
    assert not asked(flags={"offline": True})


def test_whoever_has_a_model_is_not_asked(asked, tiny_home):
    assert not asked()


def test_whoever_has_no_terminal_is_not_asked(asked, monkeypatch):
    monkeypatch.setattr(first_run, "can_ask", lambda: False)
    assert not asked()


def test_where_a_server_runs_nobody_is_asked(asked, monkeypatch):
    monkeypatch.setattr(first_run.run_file, "read", lambda path: object())
    assert not asked()


@pytest.mark.parametrize("decided", ["--yes", "--json"])
def test_yes_and_json_ask_nothing(isthmus, asked, monkeypatch, decided):
    monkeypatch.setattr(ask, "run", lambda coroutine: coroutine.close())
    monkeypatch.setattr(ask, "choose", lambda config: pytest.fail("somebody was asked"))
    assert isthmus("ask", decided, "hi").code == 0


# ---------------------------------------------------------------- no network, no terminal


def test_where_the_hub_cannot_be_reached_the_error_is_the_starters(script, environment, here):
    nowhere = {**environment, "ISTHMUS_HF_ENDPOINT": "http://127.0.0.1:9"}
    with terminal(*ASK, script=script, **nowhere) as screen:
        assert screen.end() == 5
        assert f"{STARTER} could not be fetched" in screen.screen
        assert "No model is here" not in screen.screen
    assert here() == []


def test_a_script_is_never_asked(script, environment, here, default_model):
    done = subprocess.run(
        [sys.executable, "-c", script, "ask", "--json", "--max-tokens", "4", "hi"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    assert json.loads(done.stdout)["model"] == STARTER
    assert "No model is here" not in done.stderr
    assert here() == [STARTER]
    assert default_model() is None
