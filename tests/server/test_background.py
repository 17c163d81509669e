import json

import anyio
import pytest

from isthmus.errors import RequestError, StorageError
from isthmus.messages import Finish, TextDelta
from isthmus.server.background import Background, Job
from isthmus.wire.responses_request import parse_responses
from isthmus.wire.responses_writer import ResponseWriter

DONE = Finish("stop")


def job(*, followed=False, key="k"):
    asked = parse_responses(b'{"input": "hi", "background": true}')
    return Job(ResponseWriter(asked.call([], asked.items), "m"), key, followed=followed)


async def said(*steps):
    for step in steps:
        if isinstance(step, Exception):
            raise step
        if isinstance(step, float):
            await anyio.sleep(step)
        else:
            yield step


async def keep():
    pass


def status_of(each):
    return json.loads(each.writer.body())["status"]


def types_of(pieces):
    lines = b"".join(pieces).decode().split("\n")
    return [line.removeprefix("event: response.") for line in lines if line.startswith("event: ")]


def in_background(use):
    """Run a test with a background that works."""

    async def main():
        background = Background()
        async with anyio.create_task_group() as group:
            await group.start(background.run)
            await use(background)
            group.cancel_scope.cancel()

    anyio.run(main)


def test_nothing_runs_where_nobody_runs_it():
    async def main():
        with pytest.raises(RequestError) as raised:
            Background().start(job(), keep)
        assert raised.value.param == "background"

    anyio.run(main)


def test_a_job_is_its_keys_own_and_is_let_go_once_it_is_over():
    async def use(background):
        one = job()
        background.start(one, lambda: one.work(said(0.01, TextDelta("x"), DONE), keep))
        assert background.find(one.writer.id, "k") is one
        assert background.find(one.writer.id, None) is None
        await one.over.wait()
        await anyio.wait_all_tasks_blocked()
        assert status_of(one) == "completed"
        assert background.find(one.writer.id, "k") is None

    in_background(use)


def test_several_may_follow_a_job_from_wherever_they_are():
    async def use(background):
        one, heard = job(followed=True), {}

        async def follow(after):
            heard[after] = types_of([piece async for piece in one.follow(after)])

        one.tell(one.writer.open())
        steps = said(0.01, TextDelta("a"), 0.01, TextDelta("b"), DONE)
        background.start(one, lambda: one.work(steps, keep))
        async with anyio.create_task_group() as group:
            for after in (-1, 0, 4, 99):
                group.start_soon(follow, after)
        assert heard[-1][:3] == ["created", "queued", "in_progress"]
        assert heard[-1][-1] == "completed"
        assert (heard[0], heard[4], heard[99]) == (heard[-1][1:], heard[-1][5:], [])
        assert background.find(one.writer.id, "k") is one

    in_background(use)


def test_of_streams_that_are_over_only_the_last_can_be_followed():
    async def use(background):
        jobs = [job(followed=True) for _ in range(40)]
        for each in jobs:
            background.start(each, lambda each=each: each.work(said(TextDelta("x"), DONE), keep))
            await each.over.wait()
            await anyio.wait_all_tasks_blocked()
        known = [background.find(each.writer.id, "k") is not None for each in jobs]
        assert known == [False] * 8 + [True] * 32

    in_background(use)


def test_a_fault_in_one_job_leaves_the_others_alone(caplog):
    async def use(background):
        bad, good = job(), job()
        background.start(bad, lambda: bad.work(said(TextDelta("x"), ValueError("oops")), keep))
        background.start(good, lambda: good.work(said(0.05, TextDelta("x"), DONE), keep))
        await bad.over.wait()
        await good.over.wait()
        assert (status_of(bad), status_of(good)) == ("failed", "completed")
        assert "oops" not in bad.writer.body().decode()

    in_background(use)
    assert "oops" in caplog.text


@pytest.mark.parametrize("error", [StorageError("the disk is full"), ValueError("the disk is full")])
def test_what_can_not_be_kept_is_logged_and_ends_no_other(caplog, error):
    async def full():
        raise error

    async def use(background):
        one = job()
        background.start(one, lambda: one.work(said(DONE), full))
        await one.over.wait()
        other = job()
        background.start(other, lambda: other.work(said(DONE), keep))
        await other.over.wait()
        assert status_of(other) == "completed"

    in_background(use)
    assert "the disk is full" in caplog.text


def test_a_job_is_kept_however_it_ends():
    kept = []

    async def use(background):
        for end in ("completed", "cancelled", "failed"):
            one = job()

            async def keep_it(one=one):
                kept.append(status_of(one))

            background.start(
                one,
                lambda one=one, end=end: one.work(said(0.01 if end == "completed" else 60.0, DONE), keep_it),
            )
            await anyio.sleep(0.005)
            if end == "cancelled":
                one.scope.cancel()
            if end != "failed":
                await one.over.wait()

    in_background(use)
    assert kept == ["completed", "cancelled", "failed"]
