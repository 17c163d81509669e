import math

import anyio
import pytest

from isthmus.engines.scripted import ScriptedEngine
from isthmus.errors import EngineError, WorkerDied
from isthmus.messages import (
    Confidence,
    Finish,
    GenerationRequest,
    Message,
    ReasoningDelta,
    TextDelta,
    TokenScore,
    TokenScores,
    ToolCallDelta,
    Usage,
)
from isthmus.runtime.held import HeldStream, answer_in

REQUEST = GenerationRequest((Message("user", "hi"),))
DONE = Finish("stop", Usage(1, 2))


def scored(text, logprob=-0.1):
    return [TokenScores((TokenScore(text, logprob),)), TextDelta(text)]


def held(*scripts):
    engine = ScriptedEngine(*scripts)
    return engine, HeldStream(lambda: engine.stream(REQUEST))


async def shown(stream):
    held, rest = stream.release()
    return held + [event async for event in rest]


def test_what_was_held_is_shown_first_and_nothing_twice():
    async def main():
        script = [*scored("a"), *scored("b"), *scored("c"), DONE]
        _, stream = held(script)
        assert await stream.hold(2)
        assert stream.draft().logprobs == (-0.1, -0.1)
        assert not stream.draft().whole
        assert await shown(stream) == script

    anyio.run(main)


def test_holding_everything_knows_that_the_answer_is_whole():
    async def main():
        script = [*scored("a"), DONE]
        _, stream = held(script)
        assert await stream.hold(None)
        assert stream.draft().whole
        assert await shown(stream) == script

    anyio.run(main)


def test_a_worker_that_falls_before_anything_is_shown_is_asked_once_more():
    async def main():
        engine, stream = held([*scored("a"), WorkerDied("fell")], [*scored("b"), DONE])
        assert await stream.hold(None)
        assert await shown(stream) == [*scored("b"), DONE]
        assert len(engine.requests) == 2

    anyio.run(main)


def test_a_worker_that_falls_again_is_an_error():
    async def main():
        engine, stream = held([WorkerDied("fell")])
        assert not await stream.begin()
        assert isinstance(stream.error, WorkerDied)
        assert len(engine.requests) == 2

    anyio.run(main)


def test_a_worker_that_falls_after_something_was_shown_is_not_asked_again():
    async def main():
        engine, stream = held([*scored("a"), WorkerDied("fell")])
        assert await stream.begin()
        first, rest = stream.release()
        assert [*first, await anext(rest)] == scored("a")
        with pytest.raises(WorkerDied):
            await anext(rest)
        assert len(engine.requests) == 1

    anyio.run(main)


def test_an_error_while_holding_is_kept_for_whoever_asks():
    async def main():
        _, stream = held([*scored("a"), EngineError("no")])
        assert not await stream.hold(None)
        assert not await stream.begin()
        assert isinstance(stream.error, EngineError)

    anyio.run(main)


def test_closing_stops_the_generator():
    async def main():
        engine, stream = held([*scored("a"), 60.0, DONE])
        assert await stream.begin()
        await stream.close()
        assert engine.closed == 1

    anyio.run(main)


def test_holding_stops_where_it_would_put_off_the_first_visible_token():
    async def main():
        tokens = [*scored("a"), 0.2, *scored("b"), *scored("c"), DONE]
        _, stream = held([0.1, *tokens])
        assert await stream.hold(100)
        draft = stream.draft()
        assert (draft.text, len(draft.logprobs), draft.whole) == ("a", 2, False)

    anyio.run(main)


def test_what_was_held_is_an_answer_with_its_surprise_and_its_doubts():
    rivals = (TokenScore("a", math.log(0.5)), TokenScore("b", math.log(0.25)))
    events = [TokenScores((TokenScore("a", math.log(0.5), rivals),)), TextDelta("a"), TextDelta("x", index=1)]
    votes = [Confidence(0.8, "vote"), Confidence(0.3, "vote", index=1), Confidence(0.1, "tokens")]
    last = [TokenScores((TokenScore("b", -math.inf),)), *votes, Finish("length")]
    answer = answer_in([*events, *last], whole=True)
    assert (answer.text, answer.whole, answer.finish_reason, answer.voted) == ("a", True, "length", 0.8)
    assert answer.logprobs == (math.log(0.5), -20.0)
    assert answer.entropies == pytest.approx((0.5 * math.log(2) + 2 * 0.25 * math.log(4),))


def test_texts_that_nobody_watches_come_as_one_and_all_else_as_it_was():
    async def main():
        script = [
            ReasoningDelta("hm"),
            *scored("a"),
            *scored("b"),
            TextDelta("x", 1),
            TextDelta("y", 1),
            ToolCallDelta(0, "c1", "f", "{}"),
            TextDelta("c"),
            DONE,
        ]
        _, stream = held(script)
        assert await stream.hold(None)
        events, rest = stream.release(joined=True)
        texts = [each for each in events if isinstance(each, TextDelta)]
        assert texts == [TextDelta("ab"), TextDelta("xy", 1), TextDelta("c")]
        others = [each for each in script if not isinstance(each, TextDelta)]
        assert [each for each in events if not isinstance(each, TextDelta)] == others
        assert [event async for event in rest] == []

    anyio.run(main)
