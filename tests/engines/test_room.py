"""The room that requests share: nobody waits for ever, nobody is cut short of what was promised."""

import asyncio

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.engines.room import ContextRoom


def in_loop(work):
    async def main():
        return await work()

    return anyio.run(main)


def test_a_request_comes_in_where_its_prompt_and_a_share_of_answer_find_room():
    room = ContextRoom(1000, slots=4, guesses=0)
    assert room.try_enter(500, None) is not None
    assert room.try_enter(500, None) is None
    assert room.try_enter(300, 10) is not None


def test_choices_share_their_prompt_and_each_has_an_answer():
    assert ContextRoom(1000, slots=4, guesses=0).try_enter(300, 100, choices=6) is not None
    assert ContextRoom(1000, slots=4, guesses=0).try_enter(300, 100, choices=7) is None


def test_guesses_take_room_too():
    assert ContextRoom(1000, slots=4, guesses=0).try_enter(880, 100) is not None
    assert ContextRoom(1000, slots=4, guesses=20).try_enter(880, 100) is None


def test_whoever_waits_is_let_in_when_somebody_leaves_in_order():
    async def work():
        room = ContextRoom(1000, slots=4, guesses=0)
        first = await room.enter(800, 50)
        came = []

        async def wait(name, prompt):
            await room.enter(prompt, 50)
            came.append(name)

        async with asyncio.TaskGroup() as group:
            for name, prompt in (("large", 600), ("small", 50)):
                group.create_task(wait(name, prompt))
                await asyncio.sleep(0)
            assert room.try_enter(1, 1) is None  # nobody gets past those who wait
            assert not came
            room.leave(first)
        return came

    assert in_loop(work) == ["large", "small"]


def test_one_that_is_alone_gets_in_whatever_it_needs():
    async def work():
        assert await ContextRoom(100, slots=1, guesses=0).enter(5000, None)

    in_loop(work)


@pytest.mark.parametrize("let_in", [False, True])
def test_one_that_goes_away_while_it_waits_leaves_its_room_to_others(let_in):
    async def work():
        room = ContextRoom(1000, slots=4, guesses=0)
        first = await room.enter(800, 50)
        gone = asyncio.ensure_future(room.enter(900, 50))
        await asyncio.sleep(0)
        if let_in:
            room.leave(first)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        if not let_in:
            room.leave(first)
        assert room.try_enter(900, 50)

    in_loop(work)


def test_the_answer_that_has_gone_furthest_ends_when_there_is_no_room():
    room = ContextRoom(1000, slots=4, guesses=0)
    long, short = room.try_enter(100, None), room.try_enter(100, None)
    while not long.over:
        room.grow(long)
    assert not short.over
    assert long.tokens + short.room + 8 == 1001
    for _ in range(125):  # its share
        room.grow(short)
    assert not short.over


@given(
    st.lists(st.tuples(st.integers(1, 300), st.none() | st.integers(1, 300)), min_size=1, max_size=20),
    st.integers(1, 8),
    st.randoms(use_true_random=False),
)
def test_the_room_never_overflows_and_promises_are_kept(requests, slots, random):
    total = 1000
    room, inside, waiting = ContextRoom(total, slots, guesses=16), [], list(requests)
    for _ in range(600):
        if waiting and (part := room.try_enter(*waiting[0])) is not None:
            inside.append((part, waiting.pop(0)))
        if not inside:
            break
        part, (prompt, answer) = random.choice(inside)
        room.grow(part)
        staying = [each for each, _ in inside if not each.over]
        assert sum(each.tokens for each in staying) <= total
        if part.over:
            assert part.tokens - prompt > min(answer or 62, 250)
        if part.over or part.tokens - prompt >= (answer or 500):
            room.leave(part)
            inside.remove((part, (prompt, answer)))
