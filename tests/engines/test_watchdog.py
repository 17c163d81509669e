"""Who looks after answers that must keep to a form, over a worker that is played."""

import asyncio

import anyio
import pytest

from isthmus.engines import watchdog
from isthmus.engines.watchdog import LEAST_S, UNKNOWN_S, Watchdog
from isthmus.messages import Finish, Timings, Usage
from isthmus.transport.chat_client import UpstreamError


class Played:
    """A worker that takes its time to answer, or breaks off."""

    def __init__(self, takes_s=0.0, error=None):
        self.asked = []
        self.ended = 0
        self._takes_s = takes_s
        self._error = error

    async def get(self, path):
        self.asked.append(path)
        await asyncio.sleep(self._takes_s)
        if self._error:
            raise self._error
        return []

    def end(self):
        self.ended += 1


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(watchdog, "LOOK_S", 0.01)
    monkeypatch.setattr(watchdog, "UNKNOWN_S", 0.05)


def watched(worker, said, for_s):
    dog = Watchdog(worker, worker.end)

    async def work():
        async with dog.watching(said):
            await asyncio.sleep(for_s)

    anyio.run(work)
    return dog


def test_an_answer_that_goes_on_is_left_alone():
    worker, count = Played(takes_s=60), iter(range(1000))
    assert not watched(worker, lambda: next(count), 0.2).bit
    assert (worker.asked, worker.ended) == ([], 0)


def test_one_that_waits_for_a_worker_that_is_busy_is_too():
    worker = Played(takes_s=0.02)
    assert not watched(worker, lambda: 3, 0.2).bit
    assert worker.asked
    assert not worker.ended


def test_a_worker_that_does_not_come_back_is_ended_once():
    worker = Played(takes_s=60)
    assert watched(worker, lambda: 3, 0.3).bit
    assert (len(worker.asked), worker.ended) == (1, 1)


@pytest.mark.parametrize(("kind", "bites"), [("failed", False), ("unreachable", False), ("timeout", True)])
def test_an_error_is_an_answer_too(kind, bites):
    worker = Played(error=UpstreamError(kind, "no"))
    assert watched(worker, lambda: 3, 0.1).bit is bites


def test_nobody_is_looked_after_once_the_answer_is_over():
    worker = Played(takes_s=0.1)
    dog = Watchdog(worker, worker.end)

    async def work():
        async with dog.watching(lambda: 3):
            await asyncio.sleep(0.03)
        await asyncio.sleep(0.2)

    anyio.run(work)
    assert not dog.bit
    assert not worker.ended


def finish(read, seconds, cached=0):
    return Finish("stop", Usage(read + cached, 1, cached_tokens=cached), timings=Timings(prompt_s=seconds))


def test_its_patience_is_that_of_the_slowest_prompt(monkeypatch):
    monkeypatch.setattr(watchdog, "UNKNOWN_S", UNKNOWN_S)
    dog = Watchdog(Played(), lambda: None)
    for told in (Finish("stop"), finish(8, 60.0), finish(8, 60.0, cached=1000)):
        dog.learn(told)
        assert dog.patience_s == UNKNOWN_S
    dog.learn(finish(1000, 1.0))
    assert dog.patience_s == LEAST_S
    dog.learn(finish(100, 10.0))
    assert dog.patience_s == pytest.approx(4 * 512 * 0.1)
    dog.learn(finish(1000, 1.0))
    assert dog.patience_s == pytest.approx(4 * 512 * 0.1)
