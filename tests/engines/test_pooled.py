"""Tokens and vectors of a pool's models, on played ones."""

from contextlib import aclosing

import anyio
import pytest

from isthmus.engines.pooled import PooledEmbedder, PooledTokenizer
from isthmus.engines.resident import ForEmbedding
from isthmus.errors import Busy
from isthmus.messages import TextDelta
from tests.engines.played import HELLO, REQUEST, PlayedLoader, weights
from tests.engines.test_pool import statuses, until, with_pool

SLOW = (TextDelta("He"), 60.0, *HELLO)


def test_a_model_is_loaded_for_its_tokens_and_stays():
    async def work(pool, loader):
        tokenizer = PooledTokenizer(pool, weights("a"), "key")
        assert await tokenizer.tokenize("Hi", add_special=True) == [256, 72, 105]
        assert await tokenizer.detokenize([72, 105]) == "Hi"
        assert await tokenizer.pieces([72]) == [b"H"]
        assert await tokenizer.render(REQUEST) == "user: hi\n"
        assert await tokenizer.count(REQUEST) == 10
        assert loader.events == ["+a"]

    with_pool(work)


def test_tokens_take_no_slot_and_dont_count_as_answers():
    async def work(pool, loader):
        async with aclosing(pool.model(weights("a")).stream(REQUEST)) as events:
            await anext(events)
            with anyio.fail_after(2):
                await PooledTokenizer(pool, weights("a")).tokenize("Hi")
            assert statuses(pool)["a"].busy == 1
        record = pool._records[next(iter(pool._records))]
        before = record.service_s
        await PooledTokenizer(pool, weights("a")).tokenize("Hi")
        assert record.service_s == before

    with_pool(work, PlayedLoader(script=SLOW), parallel=1)


def test_a_model_is_not_unloaded_while_its_tokens_are_wanted():
    async def work(pool, loader):
        async with pool.held(weights("a")), anyio.create_task_group() as group:
            group.start_soon(pool.load, weights("b"))
            await anyio.sleep(0.02)
            assert loader.events == ["+a"]
            group.cancel_scope.cancel()
        await pool.load(weights("b"))
        assert loader.events == ["+a", "-a", "+b"]

    with_pool(work, mib=10)


def test_a_held_model_idles_only_from_then_on():
    async def work(pool, loader):
        async with pool.held(weights("a")):
            await anyio.sleep(0.1)
            assert loader.events == ["+a"]
        await until(lambda: loader.events == ["+a", "-a"])

    with_pool(work, keep_alive_s=0.03)


def test_a_model_embeds_in_a_worker_of_its_own():
    async def work(pool, loader):
        await pool.load(weights("a"))
        made = await PooledEmbedder(pool, weights("a"), "key").embed(["one", (1, 2)])
        assert len(made.vectors) == 2
        assert loader.events == ["+a", "+a"]
        assert sorted(each.embeds for each in pool.status()) == [False, True]
        assert await pool.unload(weights("a"))
        assert pool.status() == []
        assert not await pool.unload(weights("a"))

    with_pool(work, mib=20)


def test_an_embedder_makes_room_as_any_model_does():
    async def work(pool, loader):
        await pool.load(weights("a"))
        await PooledEmbedder(pool, weights("b")).embed(["one"])
        assert loader.events == ["+a", "-a", "+b"]
        assert pool.info(ForEmbedding(weights("b"))).name == "b"

    with_pool(work, mib=10)


def test_who_stops_takes_nobody_in():
    async def work(pool, loader):
        await pool.load(weights("a"))
        pool.drain()
        with pytest.raises(Busy, match="stops"):
            await PooledTokenizer(pool, weights("a")).tokenize("Hi")
        with pytest.raises(Busy, match="stops"):
            await PooledEmbedder(pool, weights("a")).embed(["Hi"])

    with_pool(work)
