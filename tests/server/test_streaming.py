"""Work that is stopped when its client goes, and only then."""

import asyncio
from types import SimpleNamespace

import pytest

from isthmus.server import streaming
from isthmus.server.streaming import ClientGone, EventStreamResponse, unless_gone, wait_unless_gone


@pytest.fixture(autouse=True)
def watched_at_once(monkeypatch):
    monkeypatch.setattr(streaming, "_UNWATCHED_S", 0.0)


def asking(gone_after_s=None):
    """A request whose client hangs up after a while, or stays."""

    async def receive():
        await (asyncio.Event().wait() if gone_after_s is None else asyncio.sleep(gone_after_s))
        return {"type": "http.disconnect"}

    return SimpleNamespace(receive=receive)


def test_work_is_done_while_the_client_stays():
    async def work():
        await asyncio.sleep(0.02)
        return "done"

    assert asyncio.run(unless_gone(asking(), work)) == "done"


def test_work_is_stopped_when_the_client_goes():
    stopped = []

    async def work():
        try:
            await asyncio.sleep(5)
        finally:
            stopped.append(True)

    with pytest.raises(ClientGone):
        asyncio.run(unless_gone(asking(0.02), work))
    assert stopped


def test_what_fails_fails_as_itself():
    """A time-out of the work's own is not a client that has gone."""

    async def work():
        await asyncio.sleep(0.02)
        raise TimeoutError("too slow")

    with pytest.raises(TimeoutError, match="too slow"):
        asyncio.run(unless_gone(asking(), work))


def test_whoever_cancels_the_request_cancels_the_work():
    async def main():
        begun = asyncio.Event()

        async def work():
            begun.set()
            await asyncio.sleep(5)

        request = asyncio.ensure_future(unless_gone(asking(), work))
        await begun.wait()
        request.cancel()
        await request

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())


def test_nothing_is_left_behind():
    async def main():
        before = asyncio.all_tasks()
        for _ in range(3):
            await unless_gone(asking(), lambda: asyncio.sleep(0.005))
        with pytest.raises(ClientGone):
            await unless_gone(asking(0.005), lambda: asyncio.sleep(5))
        await asyncio.sleep(0.02)
        assert asyncio.all_tasks() == before

    asyncio.run(main())


def test_a_wait_ends_with_its_time_though_the_work_goes_on():
    async def main():
        doing = asyncio.ensure_future(asyncio.sleep(5))
        await wait_unless_gone(asking(), doing, timeout_s=0.02)
        assert not doing.done()
        with pytest.raises(ClientGone):
            await wait_unless_gone(asking(0.01), doing)
        doing.cancel()

    asyncio.run(main())


def sent(pieces, receive, quiet_s):
    """The bodies of all that is sent of a stream."""
    told = []

    async def send(message):
        if message["type"] == "http.response.body":
            told.append(message["body"])

    response = EventStreamResponse(pieces, {}, ping=b"~", quiet_s=quiet_s)
    asyncio.run(response({}, receive, send))
    return told


async def spoken(*script):
    for each in script:
        if isinstance(each, float):
            await asyncio.sleep(each)
        else:
            yield each


def test_silences_are_filled():
    told = sent(spoken(b"a", b"b", 0.2, b"c"), asking().receive, 0.05)
    assert [each for each in told if each != b"~"] == [b"a", b"b", b"c", b""]
    assert told.count(b"~") >= 1
    assert told.index(b"b") < told.index(b"~") < told.index(b"c")


def test_a_stream_is_closed_when_its_client_goes():
    closed = []

    async def pieces():
        try:
            yield b"a"
            await asyncio.sleep(5)
        finally:
            closed.append(True)

    assert sent(pieces(), asking(0.02).receive, 1.0) == [b"a"]
    assert closed
