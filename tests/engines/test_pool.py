"""The pool on played models, whose times are exact."""

import asyncio
import random
from contextlib import aclosing
from types import SimpleNamespace

import anyio
import pytest

from isthmus.engines import pool as pool_module
from isthmus.engines.pool import open_pool
from isthmus.errors import Busy, DoesNotFit, InvalidWeights, LoadError
from isthmus.messages import Finish, TextDelta
from isthmus.settings import EngineSettings
from tests.engines.played import HELLO, MIB, REQUEST, PlayedLoader, budget, weights

SLOW = (TextDelta("He"), 60.0, *HELLO)


def with_pool(work, loader=None, *, mib=10, **settings):
    """Run a coroutine function with a pool; at its end nothing is left of its models."""
    loader = loader or PlayedLoader()
    engine = EngineSettings(**{"parallel": 2, "max_queue": 8, "queue_timeout_s": 5.0, **settings})

    async def main():
        with anyio.fail_after(20):
            async with open_pool(loader, engine, budget(mib)) as pool:
                result = await work(pool, loader)
            assert loader.here == []
            return result

    return anyio.run(main)


async def answer(pool, name, key=None):
    async with aclosing(pool.model(weights(name), key=key).stream(REQUEST)) as events:
        return [event async for event in events]


async def until(condition):
    with anyio.fail_after(5):
        while not condition():
            await anyio.sleep(0.001)


def statuses(pool):
    return {each.name: each for each in pool.status()}


class Reader:
    """An answer that is held open in the middle."""

    def __init__(self, group, pool, name, key=None):
        self.begun, self.stop, self.error = anyio.Event(), anyio.Event(), None
        self.scope = anyio.CancelScope()
        group.start_soon(self._read, pool.model(weights(name), key=key))

    async def _read(self, model):
        with self.scope:
            try:
                async with aclosing(model.stream(REQUEST)) as events:
                    await anext(events)
                    self.begun.set()
                    await self.stop.wait()
            except Exception as error:  # noqa: BLE001 - looked at by the test
                self.error = error


# ---------------------------------------------------------------- loading


def test_a_model_is_loaded_when_it_is_asked_and_stays():
    async def work(pool, loader):
        assert pool.model(weights("a")).model.context_length is None
        assert (await answer(pool, "a"))[0] == HELLO[0]
        await answer(pool, "a")
        assert loader.events == ["+a"]
        assert loader.plans == 1
        assert pool.model(weights("a")).model.context_length == 2048
        status = statuses(pool)["a"]
        assert (status.state, status.busy, status.memory_bytes) == ("loaded", 0, 10 * MIB)
        assert status.until > status.idle_since

    with_pool(work)


def test_requests_for_one_model_share_its_load():
    async def work(pool, loader):
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(answer, pool, "a")
        assert loader.events == ["+a"]

    with_pool(work, PlayedLoader(load_s=0.02))


def test_models_that_fit_together_are_loaded_at_the_same_time():
    async def work(pool, loader):
        async with anyio.create_task_group() as group:
            for name in "abc":
                group.start_soon(answer, pool, name)
            await until(lambda: len(loader.loading) == 3)
        assert loader.most == 30

    with_pool(work, PlayedLoader(load_s=0.05), mib=30)


def test_a_load_that_fails_fails_all_its_waiters_and_the_next_one_is_tried_afresh():
    failures = {"a": [LoadError("unknown architecture"), ValueError("a fault of ours")]}

    async def fails(pool, kind, match):
        with pytest.raises(kind, match=match):
            await answer(pool, "a")

    async def work(pool, loader):
        for match in ("unknown architecture", "inside Isthmus"):
            async with anyio.create_task_group() as group:
                for _ in range(3):
                    group.start_soon(fails, pool, LoadError, match)
        assert pool.status() == []
        assert await answer(pool, "a")
        assert loader.events == ["!a", "!a", "+a"]

    with_pool(work, PlayedLoader(load_s=0.02, failures=failures))


def test_weights_that_cannot_be_read_are_refused_before_anything_is_done():
    class Broken(PlayedLoader):
        async def plan(self, weights):
            raise InvalidWeights("not a GGUF")

    async def work(pool, loader):
        with pytest.raises(InvalidWeights):
            await answer(pool, "a")
        assert (pool.status(), loader.events) == ([], [])

    with_pool(work, Broken())


def test_a_model_larger_than_the_budget_is_refused_at_once_with_both_numbers():
    async def work(pool, loader):
        await answer(pool, "a")
        with pytest.raises(DoesNotFit, match=r"11 MiB .* 10 MiB"):
            await answer(pool, "large")
        assert loader.events == ["+a"]

    with_pool(work, PlayedLoader(sizes={"large": 11}))


# ---------------------------------------------------------------- swapping


def test_a_swap_waits_for_the_answers_in_flight():
    async def work(pool, loader):
        async with anyio.create_task_group() as group:
            first = Reader(group, pool, "a")
            await first.begun.wait()
            second = Reader(group, pool, "b")
            await until(lambda: statuses(pool)["a"].busy == 1)
            await anyio.sleep(0.02)
            assert loader.events == ["+a"]
            first.stop.set()
            await second.begun.wait()
            assert loader.events == ["+a", "-a", "+b"]
            second.stop.set()

    with_pool(work, PlayedLoader(script=SLOW))


def test_who_waited_too_long_is_told_what_is_in_the_way():
    async def work(pool, loader):
        async with anyio.create_task_group() as group:
            first = Reader(group, pool, "a")
            await first.begun.wait()
            with pytest.raises(Busy, match=r"b wasn't free .*: a still works on 1 answer") as refused:
                await answer(pool, "b")
            assert refused.value.retry_after_s >= 1
            assert (await first.begun.wait()) is None
            first.stop.set()
        assert statuses(pool)["a"].state == "loaded"  # nobody wants its room any more

    with_pool(work, PlayedLoader(script=SLOW), queue_timeout_s=0.05)


def test_who_waited_too_long_for_a_load_or_a_slot_is_told_so():
    async def work(pool, loader):
        with pytest.raises(Busy, match="still being loaded"):
            await answer(pool, "a")
        await until(lambda: loader.here)
        async with anyio.create_task_group() as group:
            readers = [Reader(group, pool, "a") for _ in range(2)]
            for reader in readers:
                await reader.begun.wait()
            with pytest.raises(Busy, match="all of its 2 slots"):
                await answer(pool, "a")
            group.cancel_scope.cancel()

    with_pool(work, PlayedLoader(load_s=0.1, script=SLOW), queue_timeout_s=0.03)


def test_a_full_line_is_busy_and_says_when_to_come_back():
    async def work(pool, loader):
        async with anyio.create_task_group() as group:
            await pool.load(weights("a"))
            for _ in range(4):
                Reader(group, pool, "a")
            await until(lambda: statuses(pool)["a"].waiting == 2)
            with pytest.raises(Busy, match="2 requests wait for a already") as refused:
                await answer(pool, "a")
            assert refused.value.retry_after_s == 10  # two slots, three ahead or here, 5 s each as a guess
            late = Reader(group, pool, "a", key="modest")
            await until(lambda: statuses(pool)["a"].waiting == 2)
            assert late.error is None
            group.cancel_scope.cancel()

    with_pool(work, PlayedLoader(script=SLOW), max_queue=2)


def test_keys_take_turns():
    order = []

    async def one(pool, key):
        await answer(pool, "a", key)
        order.append(key)

    async def work(pool, loader):
        async with anyio.create_task_group() as group:
            first = Reader(group, pool, "a")
            await first.begun.wait()
            for key in ("hog", "hog", "hog", "modest"):
                group.start_soon(one, pool, key)
                await anyio.sleep(0.001)
            loader.engine("a")._scripts = [list(HELLO)]
            first.stop.set()

    with_pool(work, PlayedLoader(script=SLOW), parallel=1)
    assert order == ["hog", "modest", "hog", "hog"]


# ---------------------------------------------------------------- going


def test_a_model_goes_when_it_was_not_used_for_long_enough():
    async def work(pool, loader):
        await answer(pool, "a")
        await anyio.sleep(0.03)
        await answer(pool, "a")  # its time begins anew
        await anyio.sleep(0.03)
        assert loader.events == ["+a"]
        await until(lambda: loader.events == ["+a", "-a"])
        assert pool.status() == []

    with_pool(work, keep_alive_s=0.05)


def test_a_model_at_work_does_not_go_however_long_that_takes():
    async def work(pool, loader):
        async with anyio.create_task_group() as group:
            reader = Reader(group, pool, "a")
            await reader.begun.wait()
            await anyio.sleep(0.05)
            assert statuses(pool)["a"].idle_since is None
            reader.stop.set()
        await until(lambda: not loader.here)

    with_pool(work, PlayedLoader(script=SLOW), keep_alive_s=0.01)


def test_without_keep_alive_a_model_goes_at_once_and_with_minus_one_never():
    async def goes(pool, loader):
        await answer(pool, "a")
        await until(lambda: not loader.here)

    async def stays(pool, loader):
        await answer(pool, "a")
        await anyio.sleep(0.03)
        assert (len(loader.here), statuses(pool)["a"].until) == (1, None)

    with_pool(goes, keep_alive_s=0)
    with_pool(stays, keep_alive_s=-1)


def test_a_model_may_be_kept_for_another_time_until_it_is_unloaded():
    async def work(pool, loader):
        await answer(pool, "a")
        pool.keep(weights("a"), 0.02)
        assert statuses(pool)["a"].keep_alive_s == 0.02
        await until(lambda: loader.events == ["+a", "-a"])
        await answer(pool, "a")
        assert statuses(pool)["a"].keep_alive_s == 60, "the settings count again"
        pool.keep(weights("b"), 0)  # it isn't loaded
        await answer(pool, "b")
        assert statuses(pool)["b"].until is not None
        pool.keep(weights("b"), -1)
        assert statuses(pool)["b"].until is None

    with_pool(work, mib=20, keep_alive_s=60)


def test_a_model_that_is_to_go_at_once_ends_its_answer_first():
    async def work(pool, loader):
        async with anyio.create_task_group() as group:
            reader = Reader(group, pool, "a")
            await reader.begun.wait()
            pool.keep(weights("a"), 0)
            await anyio.sleep(0.02)
            assert loader.events == ["+a"]
            reader.stop.set()
        await until(lambda: loader.events == ["+a", "-a"])

    with_pool(work, PlayedLoader(script=SLOW))


def test_an_answer_says_how_long_it_waited_for_its_model():
    async def work(pool, loader):
        (*_, first), (*_, second) = [await answer(pool, "a") for _ in range(2)]
        assert first.timings.wait_s >= 0.05
        assert second.timings.wait_s < 0.05

    with_pool(work, PlayedLoader(load_s=0.05))


def test_loading_and_unloading_on_request():
    async def work(pool, loader):
        await pool.load(weights("a"))
        await pool.load(weights("a"))
        assert loader.events == ["+a"]
        assert await pool.unload(weights("a"))
        assert not await pool.unload(weights("a"))
        assert not await pool.unload(weights("b"))
        assert loader.events == ["+a", "-a"]

    with_pool(work)


def test_unloading_waits_for_answers_in_flight_or_says_that_they_take_too_long():
    async def work(pool, loader):
        async with anyio.create_task_group() as group:
            reader = Reader(group, pool, "a")
            await reader.begun.wait()
            with pytest.raises(Busy, match="a still works on 1 answer, and goes"):
                await pool.unload(weights("a"))
            reader.stop.set()
        await until(lambda: not loader.here)

    with_pool(work, PlayedLoader(script=SLOW), queue_timeout_s=0.03)


def test_who_asks_while_a_model_is_unloaded_gets_it_again():
    async def work(pool, loader):
        await answer(pool, "a")
        async with anyio.create_task_group() as group:
            group.start_soon(pool.unload, weights("a"))
            await anyio.sleep(0.01)
            assert statuses(pool)["a"].state == "unloading"
            assert await answer(pool, "a")
        assert loader.events == ["+a", "-a", "+a"]

    with_pool(work, PlayedLoader(unload_s=0.05))


# ---------------------------------------------------------------- memory


def test_a_worker_that_takes_more_than_was_planned_sends_an_idle_one_away(monkeypatch):
    monkeypatch.setattr(pool_module, "_WEIGH_EVERY_S", 0.0)

    async def work(pool, loader):
        await answer(pool, "a")
        await answer(pool, "b")
        loader.engine("b").memory = 15 * MIB
        await answer(pool, "b")
        await until(lambda: loader.events == ["+a", "+b", "-a"])
        assert pool.taken_bytes == 15 * MIB
        loader.engine("b").memory = 500 * MIB
        await answer(pool, "b")
        await until(lambda: pool.taken_bytes == 20 * MIB)
        assert await answer(pool, "b")  # alone, it may stay

    with_pool(work, mib=20)


def test_a_worker_that_takes_less_is_counted_as_planned(monkeypatch):
    monkeypatch.setattr(pool_module, "_WEIGH_EVERY_S", 0.0)

    async def work(pool, loader):
        await answer(pool, "a")
        loader.engine("a").memory = MIB
        await answer(pool, "a")
        await anyio.sleep(0.02)
        assert pool.taken_bytes == 10 * MIB

    with_pool(work)


# ---------------------------------------------------------------- clients that go away


def test_a_client_that_goes_while_its_model_loads_leaves_the_load_to_others():
    async def work(pool, loader):
        async with anyio.create_task_group() as group:
            first, second = Reader(group, pool, "a"), Reader(group, pool, "a")
            await until(lambda: loader.loading)
            first.scope.cancel()
            await second.begun.wait()
            second.stop.set()
        assert loader.events == ["+a"]

    with_pool(work, PlayedLoader(load_s=0.03, script=SLOW))


def test_a_load_that_nobody_waits_for_is_ended_for_another():
    async def work(pool, loader):
        with anyio.move_on_after(0.02):
            await answer(pool, "a")
        assert loader.loading == ["a"]
        loader.load_s = 0.0
        assert await answer(pool, "b")
        assert loader.events == ["!a", "+b"]

    with_pool(work, PlayedLoader(load_s=30.0))


def test_a_load_that_nobody_waits_for_goes_on_where_nobody_wants_its_room():
    async def work(pool, loader):
        with anyio.move_on_after(0.01):
            await answer(pool, "a")
        await until(lambda: loader.events == ["+a"])
        await until(lambda: not loader.here)  # and goes as others do

    with_pool(work, PlayedLoader(load_s=0.05), keep_alive_s=0.02)


@pytest.mark.parametrize("turns", range(12))
def test_a_client_may_go_at_any_moment(turns):
    """Cancelled after so many turns of the event loop, whatever it waits for, it leaves nothing behind."""

    async def work(pool, loader):
        await answer(pool, "b")
        task = asyncio.create_task(answer(pool, "a"))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert await answer(pool, "a")
        assert await answer(pool, "b")
        assert {each.busy + each.waiting for each in pool.status()} == {0}
        await until(lambda: not loader.here)

    with_pool(work, keep_alive_s=0.01)


# ---------------------------------------------------------------- the end


def test_draining_sends_the_waiting_away_and_lets_answers_end():
    async def work(pool, loader):
        async with anyio.create_task_group() as group:
            at_work, waits = Reader(group, pool, "a"), Reader(group, pool, "b")
            await at_work.begun.wait()
            pool.drain()
            await until(lambda: waits.error is not None)
            assert isinstance(waits.error, Busy)
            with pytest.raises(Busy, match="stops"):
                await answer(pool, "a")
            assert at_work.error is None
            at_work.stop.set()

    with_pool(work, PlayedLoader(script=SLOW))


def test_closing_ends_loads_and_unloads_in_progress():
    async def work(pool, loader):
        await answer(pool, "a")
        scope = anyio.CancelScope()

        async def waits():
            with scope:
                await answer(pool, "b")

        async with anyio.create_task_group() as group:
            group.start_soon(waits)
            await anyio.sleep(0.01)
            scope.cancel()
        assert loader.loading or loader.here

    with_pool(work, PlayedLoader(load_s=0.03, unload_s=0.03), mib=10)


def test_what_the_body_raises_comes_out_as_it_is():
    async def work(pool, loader):
        await answer(pool, "a")
        raise LoadError("of the body")

    with pytest.raises(LoadError, match="of the body"):
        with_pool(work)


# ---------------------------------------------------------------- by chance


@pytest.mark.parametrize("seed", range(5))
def test_eight_clients_of_three_models_are_all_served_under_a_budget_that_holds_one(seed):
    chance = random.Random(seed)
    script = (TextDelta("a"), 0.001, Finish("stop"))
    served = []

    async def client(pool, number):
        for _ in range(15):
            name = chance.choice("abc")
            if chance.random() < 0.15:
                with anyio.move_on_after(chance.random() * 0.01):
                    await answer(pool, name, str(number))
            else:
                assert len(await answer(pool, name, str(number))) == 2
                served.append(number)

    async def work(pool, loader):
        async with anyio.create_task_group() as group:
            for number in range(8):
                group.start_soon(client, pool, number)
        assert loader.most <= 10
        assert {each.busy + each.waiting for each in pool.status()} <= {0}

    with_pool(work, PlayedLoader(script=script, load_s=0.002, unload_s=0.001))
    assert set(served) == set(range(8))


def test_one_models_clients_do_not_keep_another_from_its_turn():
    """Four clients never stop asking for a; one asks for b, and is served before long."""
    script = (TextDelta("a"), 0.002, Finish("stop"))
    counts = SimpleNamespace(a=0)

    async def keen(pool):
        while True:
            await answer(pool, "a")
            counts.a += 1

    async def work(pool, loader):
        async with anyio.create_task_group() as group:
            for _ in range(4):
                group.start_soon(keen, pool)
            await until(lambda: counts.a > 20)
            before = counts.a
            await answer(pool, "b")
            assert counts.a - before <= 4
            group.cancel_scope.cancel()

    with_pool(work, PlayedLoader(script=script))
