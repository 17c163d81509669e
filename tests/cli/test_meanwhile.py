import anyio
import pytest

from isthmus.cli import meanwhile
from isthmus.cli.meanwhile import fetching_meanwhile
from isthmus.configuration import load
from isthmus.errors import EngineError, FetchError
from isthmus.messages import Notice, Progress
from isthmus.store import find

ENTRY = find("qwen3:8b")
NAME = ENTRY.name


@pytest.fixture
def defaults(monkeypatch):
    """The names that were made the default."""
    made = []
    monkeypatch.setattr(meanwhile, "make_default", made.append)
    return made


@pytest.fixture
def pulling(monkeypatch):
    """Replace what fetches; ``work`` is given the two callbacks."""

    def replace(work):
        async def pull(entry, store, *, on_progress, on_notice, **_):
            await work(on_progress, on_notice)
            return entry

        monkeypatch.setattr(meanwhile, "pull", pull)

    return replace


def during(body, entry=ENTRY):
    async def whole():
        async with fetching_meanwhile(entry, load()) as beside:
            await body(beside)

    anyio.run(whole)


async def begin(beside):
    beside.begin()
    await anyio.wait_all_tasks_blocked()


def test_what_is_whole_becomes_the_default(pulling, defaults, capsys):
    async def at_once(on_progress, on_notice):
        on_progress(Progress("fetching", 1, 4))

    async def body(beside):
        assert beside.status == ""
        await begin(beside)
        assert beside.status == f"{NAME} is here (/model)"

    pulling(at_once)
    during(body)
    assert defaults == [NAME]
    assert capsys.readouterr().err == ""


def test_what_is_left_is_waited_for_and_shown(pulling, defaults, capsys):
    async def slowly(on_progress, on_notice):
        on_progress(Progress("fetching it", 1, 4))
        on_notice(Notice("source_failed", "the first source is away"))
        await anyio.sleep(0.1)
        on_progress(Progress("fetching it", 4, 4))

    async def body(beside):
        await begin(beside)
        assert beside.status == f"{NAME}: 25%"

    pulling(slowly)
    during(body)
    said = capsys.readouterr().err
    assert f"Fetching {NAME}, 25% so far" in said
    assert "the first source is away" in said
    assert "fetching it" in said
    assert defaults == [NAME]


def test_a_fetch_that_fails_is_told_after_the_answer_and_changes_nothing(pulling, defaults, capsys):
    async def fail(on_progress, on_notice):
        raise FetchError("the line is dead", hint="isthmus pull it")

    async def body(beside):
        await begin(beside)
        assert beside.status == ""
        assert capsys.readouterr().err == ""

    pulling(fail)
    during(body)
    assert f"{NAME} isn't here: the line is dead" in capsys.readouterr().err
    assert defaults == []


def test_an_answer_that_fails_ends_the_fetch_and_says_how_it_goes_on(pulling, defaults, capsys):
    async def forever(on_progress, on_notice):
        on_progress(Progress("fetching", 1, 2))
        await anyio.sleep_forever()

    async def body(beside):
        await begin(beside)
        raise EngineError("no answer")

    pulling(forever)
    with pytest.raises(ExceptionGroup) as caught:
        during(body)
    assert caught.group_contains(EngineError)
    said = capsys.readouterr().err
    assert f"{NAME}: 50% here" in said
    assert f"isthmus use {NAME}" in said
    assert defaults == []


@pytest.mark.parametrize("entry", [None, ENTRY])
def test_what_was_never_begun_is_never_spoken_of(pulling, defaults, capsys, entry):
    async def body(beside):
        if entry is None:
            beside.begin()
        assert beside.status == ""

    pulling(None)
    during(body, entry)
    assert capsys.readouterr().err == ""
    assert defaults == []


def test_where_nothing_is_fetched_an_error_comes_as_it_is(capsys):
    async def body(beside):
        raise EngineError("no answer")

    with pytest.raises(EngineError):
        during(body, None)
