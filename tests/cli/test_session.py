import anyio
import pytest

from isthmus.cli import session
from isthmus.cli.session import open_runtime, open_switchboard
from isthmus.engines.llama import LlamaEngine
from isthmus.errors import DoesNotFit, EngineError, LoadError, UnknownModel
from isthmus.messages import TextDelta
from isthmus.runtime.answer import Ask
from isthmus.server import run_file
from isthmus.server.run_file import RunFile
from tests.cli.homes import PlayedModel, beneath, play, says
from tests.conftest import TINY
from tests.engines.played import REQUEST, PlayedLoader
from tests.server.conftest import serving  # noqa: F401 - a fixture
from tests.store.samples import gguf_bytes

AWAY = {
    "providers__big__base_url": "http://127.0.0.1:9/v1",
    "providers__big__model": "large",
    "handoff__provider": "big",
}


@pytest.fixture
def models(monkeypatch):
    first, second = PlayedModel("first", says("one")), PlayedModel("second", says("two"))
    play(monkeypatch, first, second)
    return first, second


@pytest.fixture
def on_board(settings):
    """Runs a coroutine function with a switchboard."""

    def run(work, **flags):
        async def whole():
            async with open_switchboard(settings(**({"model": "first"} | flags))) as switchboard:
                return await work(switchboard)

        return anyio.run(whole)

    return run


def test_a_runtime_is_closed_at_the_end(models, settings):
    async def work():
        async with open_runtime(settings(model="first")) as runtime:
            return runtime.home.model.name, models[0].open

    assert anyio.run(work) == ("first", True)
    assert not models[0].open


def test_another_model_takes_the_place_of_the_one_before(models, on_board):
    async def work(switchboard):
        await switchboard.change_model("second")
        return beneath(switchboard.runtime()), switchboard.settings.model, [each.open for each in models]

    assert on_board(work) == (models[1], "second", [False, True])
    assert not models[1].open


def test_where_there_is_no_such_model_the_one_before_goes_on_undisturbed(models, on_board):
    async def work(switchboard):
        with pytest.raises(UnknownModel):
            await switchboard.change_model("third")
        return beneath(switchboard.runtime()), switchboard.settings.model, models[0].open

    assert on_board(work) == (models[0], "first", True)


def loading(monkeypatch, load):
    """Replace what loads the model ``second``."""

    async def only_second(home):
        if home.model.name == "second":
            await load()

    monkeypatch.setattr(session, "_load", only_second)


def test_where_it_cannot_be_loaded_the_one_before_is_taken_back(models, on_board, monkeypatch):
    async def fail():
        assert [each.open for each in models] == [False, True], "there may not be memory for both"
        raise LoadError("too large")

    async def work(switchboard):
        loading(monkeypatch, fail)
        with pytest.raises(LoadError):
            await switchboard.change_model("second")
        return beneath(switchboard.runtime()), switchboard.settings.model, [each.open for each in models]

    assert on_board(work) == (models[0], "first", [True, False])


def test_a_change_that_is_cancelled_is_taken_back(models, on_board, monkeypatch):
    async def work(switchboard):
        loading(monkeypatch, anyio.sleep_forever)
        with anyio.move_on_after(0.05):
            await switchboard.change_model("second")
        return beneath(switchboard.runtime()), [each.open for each in models]

    assert on_board(work) == (models[0], [True, False])


def test_where_there_is_no_way_back_either_it_says_so_and_another_model_helps(models, on_board, monkeypatch):
    async def fail():
        play(monkeypatch)
        raise LoadError("too large")

    async def work(switchboard):
        loading(monkeypatch, fail)
        with pytest.raises(UnknownModel):
            await switchboard.change_model("second")
        with pytest.raises(EngineError, match="no model is loaded"):
            switchboard.runtime()
        play(monkeypatch, models[0])
        await switchboard.change_model("first")
        return beneath(switchboard.runtime())

    assert on_board(work) is models[0]


def test_a_mode_changes_rules_and_hosted_model_and_leaves_home_alone(models, on_board):
    async def work(switchboard):
        before = switchboard.runtime()
        await switchboard.change_mode("auto")
        after = switchboard.runtime()
        await switchboard.change_mode("off")
        last = switchboard.runtime()
        assert beneath(before) is beneath(after) is beneath(last)
        return [(each.terms.rules.mode, each.terms.hosted is not None) for each in (before, after, last)]

    assert on_board(work, **AWAY) == [("off", False), ("auto", True), ("off", False)]


@pytest.mark.parametrize("switch", ["offline", "handoff__local_only"])
def test_no_mode_gets_around_a_hard_switch(models, on_board, switch):
    async def work(switchboard):
        await switchboard.change_mode("always")
        return switchboard.runtime().terms.hosted

    assert on_board(work, **AWAY, **{switch: True}) is None


@pytest.fixture
def server(monkeypatch):
    """A server that has the model ``first`` loaded and lets nothing out."""
    run = RunFile(1, "127.0.0.1", 9, "key", "first", "first", local_only=True, offline=False, mode="off")
    monkeypatch.setattr(run_file, "read", lambda path: run)


def test_no_mode_gets_around_a_servers_hard_switch(server, models, on_board):
    async def work(switchboard):
        await switchboard.change_mode("always")
        runtime = switchboard.runtime()
        return beneath(runtime) in models, runtime.terms.rules.local_only, runtime.terms.hosted

    assert on_board(work, **AWAY) == (False, True, None)


def test_a_file_is_not_answered_by_a_servers_file_of_the_same_name(monkeypatch, models, on_board, tmp_path):
    elsewhere = str(tmp_path / "elsewhere" / "x.gguf")
    run = RunFile(1, "127.0.0.1", 9, "key", "x.gguf", elsewhere, local_only=True, offline=False, mode="off")
    monkeypatch.setattr(run_file, "read", lambda path: run)

    async def work(switchboard):
        return switchboard.runtime().terms.rules.local_only

    assert on_board(work, model=elsewhere) is True
    with pytest.raises(UnknownModel):  # it was looked for here, and there is none
        on_board(work, model="x.gguf")


def test_a_model_of_our_own_goes_by_our_own_rules(server, models, on_board):
    async def work(switchboard):
        await switchboard.change_model("second")
        runtime = switchboard.runtime()
        return beneath(runtime), runtime.terms.rules.local_only, runtime.terms.hosted is not None

    assert on_board(work, **AWAY, handoff__mode="auto") == (models[1], False, True)


def test_a_server_answers_for_every_model_of_its_store_and_has_it_loaded(serving, settings):  # noqa: F811
    loader = PlayedLoader(script=says("three"))
    with serving(loader, names=("third", "fourth")) as server:

        async def work():
            async with open_switchboard(settings(model="third")) as switchboard:
                assert loader.events == []  # the default is the server's own to load
                await switchboard.change_model("fourth")
                assert loader.events == ["+fourth"]
                events = [event async for event in switchboard.runtime().answer(Ask(REQUEST, "chat"))]
                return "".join(event.text for event in events if isinstance(event, TextDelta))

        assert anyio.run(work) == "three"
        assert [row.source for row in server.ledger.questions(9)] == ["chat"]  # ours, and no second one


def test_a_server_that_cannot_load_it_leaves_the_one_before(serving, settings):  # noqa: F811
    with serving(PlayedLoader(sizes={"fourth": 99}), names=("third", "fourth")):

        async def work():
            async with open_switchboard(settings(model="third")) as switchboard:
                with pytest.raises(DoesNotFit, match="99 MiB"):
                    await switchboard.change_model("fourth")
                return switchboard.settings.model

        assert anyio.run(work) == "third"


def test_weights_that_no_engine_loads_leave_the_real_model_answering(tiny_home, tmp_path, on_board):
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(gguf_bytes())

    async def work(switchboard):
        with pytest.raises(LoadError):
            await switchboard.change_model(str(broken))
        home = beneath(switchboard.runtime())
        assert isinstance(home, LlamaEngine)
        await home.open()
        return home.worker is not None and home.worker.alive

    assert on_board(work, model=TINY)
