"""Several answers as one."""

import asyncio

import anyio
import pytest

from isthmus.engines.scripted import ScriptedEngine
from isthmus.errors import EngineError
from isthmus.messages import (
    Decision,
    Finish,
    GenerationRequest,
    Message,
    Notice,
    Route,
    TextDelta,
    TokenScores,
    Usage,
)
from isthmus.server.side_by_side import side_by_side

REQUEST = GenerationRequest((Message("user", "hi"),))
ROUTE = Route(Decision("local", "raw_prompt"), "m")
SCRIPT = (
    ROUTE,
    TokenScores((), 0),
    TextDelta("a"),
    TextDelta("b", 1),
    Finish("stop"),
    Finish("stop", Usage(3, 2, 0, 1), index=1),
)


def together(*engines, choices=2, at_once=2):
    async def main():
        streams = [engine.stream(REQUEST) for engine in engines]
        return [event async for event in side_by_side(streams, choices, at_once)]

    return anyio.run(main)


def test_one_answer_passes_as_it_is():
    assert together(ScriptedEngine(SCRIPT)) == list(SCRIPT)


def test_choices_are_counted_through_and_usage_is_added_up():
    events = together(*(ScriptedEngine(SCRIPT) for _ in range(3)))
    assert sorted(event.index for event in events if isinstance(event, TextDelta)) == list(range(6))
    assert [event for event in events if isinstance(event, Route)] == [ROUTE]
    finishes = [event for event in events if isinstance(event, Finish)]
    assert sorted(each.index for each in finishes) == list(range(6))
    assert [each.usage for each in finishes] == [None] * 5 + [Usage(9, 6, 0, 3)]
    assert events[-1] is finishes[-1]


def test_everybodys_notices_are_passed_on():
    events = together(*(ScriptedEngine([Notice("code", "beware"), *SCRIPT]) for _ in range(2)))
    assert sum(isinstance(event, Notice) for event in events) == 2


def test_no_more_are_under_way_than_may_be():
    under_way, most = set(), []

    async def answer(number):
        under_way.add(number)
        most.append(len(under_way))
        await asyncio.sleep(0.005)
        under_way.discard(number)
        yield Finish("stop")

    async def main():
        return [event async for event in side_by_side([answer(number) for number in range(6)], 1, 2)]

    assert len(anyio.run(main)) == 6
    assert max(most) == 2


@pytest.mark.parametrize("error", [EngineError("no more"), ValueError("a fault")])
def test_where_one_fails_all_end(error):
    slow, failing = ScriptedEngine([TextDelta("a"), 60.0, *SCRIPT]), ScriptedEngine([0.01, error])
    with pytest.raises(type(error), match=str(error)):
        together(slow, failing)
    assert slow.closed == failing.closed == 1


def test_who_hangs_up_stops_all():
    engines = [ScriptedEngine([TextDelta("a"), 60.0, *SCRIPT]) for _ in range(3)]

    async def main():
        events = side_by_side([engine.stream(REQUEST) for engine in engines], 2, 2)
        await anext(events)
        await events.aclose()

    anyio.run(main)
    assert [engine.closed for engine in engines][:2] == [1, 1]
