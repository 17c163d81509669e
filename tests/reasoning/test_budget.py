"""How long a thought may be, and when it goes round in circles."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.messages import GenerationRequest, ModelInfo
from isthmus.reasoning.budget import Watch, budget_for, circles, tokens_in
from isthmus.reasoning.families import FAMILIES

QWEN = next(family for family in FAMILIES if family.name == "qwen3")
BARE = ModelInfo("m", local=True)
SMALL = ModelInfo("m", local=True, context_length=1000)


@pytest.mark.parametrize(
    ("asked", "model", "budget"),
    [
        ({}, BARE, None),
        ({}, SMALL, 750),  # a quarter of the context is the answer's
        ({"effort": "low"}, BARE, 1024),
        ({"effort": "low"}, SMALL, 750),
        ({"effort": "low", "reasoning_budget": 5000}, BARE, 5000),
        ({"effort": "xhigh"}, BARE, None),
        ({"effort": "high", "max_tokens": 100}, BARE, 75),
        ({"effort": "high", "max_tokens": 100, "max_total": 40}, BARE, 30),
        ({"max_tokens": 20_000}, BARE, 20_000 - 1024),
        ({"reasoning_budget": 0}, SMALL, 0),
    ],
)
def test_a_thought_leaves_room_for_an_answer(asked, model, budget):
    assert budget_for(QWEN, GenerationRequest((), **asked), model) == budget


@given(st.integers(1, 10**6), st.none() | st.integers(0, 10**6))
def test_an_answer_always_has_room(limit, asked):
    budget = budget_for(QWEN, GenerationRequest((), max_tokens=limit, reasoning_budget=asked), BARE)
    assert budget is not None
    assert budget + min(limit // 4, 1024) <= limit


def test_a_thought_is_watched_by_the_token():
    watch = Watch(3, kept=False)
    assert [watch.add(piece) for piece in ("one", " two", " three")] == [None, None, "budget"]
    assert (watch.tokens, watch.text) == (3, "one two three")


def test_an_engine_that_keeps_a_budget_is_interrupted_only_if_it_fails():
    watch = Watch(3, kept=True)
    said = [watch.add("word ") for _ in range(40)]
    assert said[:30] == [None] * 30
    assert "budget" in said


def test_a_thought_has_its_time():
    watch = Watch(None, kept=True, seconds=0.01)
    assert watch.add("one") is None
    time.sleep(0.02)
    assert watch.add(" two") == "time"


def test_a_long_piece_is_several_tokens():
    assert (tokens_in("a"), tokens_in("x" * 16), tokens_in("x" * 400)) == (1, 1, 100)


@pytest.mark.parametrize("loop", ["Wait. ", "Let me check that again, from the start.\n\n", "0", "ab" * 90])
def test_a_loop_is_seen(loop):
    watch = Watch(None, kept=True)
    verdicts = [watch.add(f" word{number}") for number in range(100)]
    assert set(verdicts) == {None}
    while (verdict := watch.add(loop)) is None:
        assert watch.tokens < 5000
    assert verdict == "loop"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "short, short, short",
        " ".join(f"{number}. Let me check case {number}." for number in range(200)),
        "A list:" + "\n- item" * 20,
    ],
    ids=str,
)
def test_what_is_no_loop(text):
    assert not circles(text)


@given(st.text(alphabet="abc \n", max_size=60), st.text(alphabet="abc \n", min_size=1, max_size=80))
def test_what_comes_again_and_again_is_a_loop(before, again):
    assert circles(before + again * (800 // len(again) + 9))
