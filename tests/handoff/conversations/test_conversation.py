"""Stickiness: what changing hands costs, that nothing flaps, and who answered before."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from isthmus.handoff.conversations.conversation import (
    CachePrice,
    Conversations,
    Standing,
    asked_in,
    needs,
    switching_shift,
    tokens_of,
)
from isthmus.messages import (
    Decision,
    Finish,
    GenerationRequest,
    ImagePart,
    Message,
    ModelInfo,
    Route,
    TextDelta,
    TextPart,
    Timings,
    Tool,
    ToolCall,
    ToolCallDelta,
    Usage,
)

PRICE = CachePrice(Decimal("2.50"), Decimal("0.25"))
PRICES = st.none() | st.builds(
    CachePrice,
    st.decimals(0, 100, places=2),
    st.decimals(0, 100, places=2),
)
LENGTHS = st.integers(0, 200_000)
STICKINESS = st.floats(0, 0.5)


def standing(last, tokens, unread=None, prefill_s=0.002):
    return Standing(last, tokens, tokens if unread is None else min(unread, tokens), prefill_s)


def band(tokens, price, stickiness):
    """How far apart the two thresholds are in a conversation of that length."""
    leaving = switching_shift(standing("local", tokens), price, stickiness)
    coming = switching_shift(standing("hosted", tokens), price, stickiness)
    return leaving - coming


# ---------------------------------------------------------------- the shift


@given(LENGTHS, LENGTHS, PRICES, STICKINESS)
def test_it_leans_towards_who_answered_and_never_too_far(tokens, unread, price, stickiness):
    assert 0 <= switching_shift(standing("local", tokens), price, stickiness) <= stickiness
    assert -stickiness <= switching_shift(standing("hosted", tokens, unread), price, stickiness) <= 0


@given(LENGTHS, LENGTHS, PRICES, STICKINESS)
def test_the_band_grows_with_the_conversation(one, other, price, stickiness):
    short, long_ = sorted((one, other))
    assert band(short, price, stickiness) <= band(long_, price, stickiness) + 1e-12


@given(LENGTHS, STICKINESS, st.floats(0, 1), st.lists(st.floats(0, 1), max_size=40))
def test_scores_within_the_band_change_hands_once_at_most(tokens, stickiness, threshold, scores):
    leaving = threshold + switching_shift(standing("local", tokens), PRICE, stickiness)
    coming = threshold + switching_shift(standing("hosted", tokens), PRICE, stickiness)
    assume(leaving > coming)
    within = [coming + score * (leaving - coming) for score in scores]
    last, changes = "local", 0
    for score in [0.0, *within]:
        shift = switching_shift(standing(last, tokens), PRICE, stickiness)
        answers = "hosted" if score > threshold + shift else "local"
        changes += answers != last
        last = answers
    assert changes <= 1


@given(LENGTHS, PRICES, STICKINESS)
def test_nothing_is_forbidden(tokens, price, stickiness):
    threshold = 0.5
    assert threshold + switching_shift(standing("local", tokens), price, min(stickiness, 0.49)) < 1.0
    assert threshold + switching_shift(standing("hosted", tokens), price, min(stickiness, 0.49)) > 0.0


def test_where_nobody_knows_or_nothing_was_said_nothing_shifts():
    assert switching_shift(standing(None, 10_000), PRICE, 0.2) == 0
    assert switching_shift(standing("refuse", 10_000), PRICE, 0.2) == 0
    assert switching_shift(standing("local", 0), PRICE, 0.2) == 0
    assert switching_shift(standing("local", 10_000), PRICE, 0.0) == 0


def test_the_formula_by_hand():
    n, v = 10_000, 0.0006
    cold = n * 2.25e-6
    leaving = (cold + 400 * 0.002 * v) * n / (n + 400)
    coming = (2_000 * 0.002 * v + cold / 2) * n / (n + 400)
    shift = switching_shift(standing("local", n), PRICE, 0.2)
    assert shift == pytest.approx(0.2 * (1 - 2.718281828459045 ** (-leaving / 0.01)))
    shift = switching_shift(standing("hosted", n, 2_000), PRICE, 0.2)
    assert shift == pytest.approx(-0.2 * (1 - 2.718281828459045 ** (-coming / 0.01)))


def test_a_slow_home_and_a_dear_cold_cache_hold_more():
    quick, slow = (switching_shift(standing("hosted", 8000, 8000, s), PRICE, 0.2) for s in (0.0002, 0.02))
    assert slow < quick < 0
    dear = CachePrice(Decimal(15), Decimal("1.5"))
    assert switching_shift(standing("local", 2000), dear, 0.2) > switching_shift(
        standing("local", 2000), PRICE, 0.2
    )


# ---------------------------------------------------------------- who answered

TOOL = ToolCall("c1", "f", "{}")


def routed(target):
    return Route(Decision(target, "looks_easy"), "m")


def answer(conversations, messages, target, *events):
    followed = conversations.follow(GenerationRequest(tuple(messages)))
    for event in (routed(target), *events):
        followed.note(event)
    return followed


def stands(conversations, *messages):
    return conversations.standing(GenerationRequest(messages))


def test_a_conversation_stands_where_its_last_answer_came_from():
    conversations = Conversations(0.2, PRICE)
    ask, more = Message("user", "A hard question."), Message("user", "And now an easy one.")
    answer(conversations, [ask], "hosted", TextDelta("So "), TextDelta("it is."), Finish("stop", Usage(9, 2)))
    said = Message("assistant", "So it is.")
    found = stands(conversations, ask, said, more)
    assert (found.last, found.hosted_turns) == ("hosted", frozenset({1}))
    assert found.unread == found.tokens > 0
    answer(conversations, [ask, said, more], "local", TextDelta("Yes."), Finish("stop", Usage(9, 2)))
    found = stands(conversations, ask, said, more, Message("assistant", "Yes."), Message("user", "?"))
    assert (found.last, found.hosted_turns, found.unread) == ("local", frozenset({1}), 0)
    assert stands(conversations, ask, Message("assistant", "Another answer.")).last is None


def test_a_turn_that_calls_is_followed_too():
    conversations = Conversations(0.2, PRICE)
    ask = Message("user", "What time is it?")
    answer(
        conversations, [ask], "local", ToolCallDelta(0, "c1", "f", "{}"), Finish("tool_calls", Usage(9, 2))
    )
    result = Message("tool", "noon", tool_call_id="c1")
    assert stands(conversations, ask, Message("assistant", tool_calls=(TOOL,)), result).last == "local"


def test_an_answer_that_broke_off_is_nobodys():
    conversations = Conversations(0.2, PRICE)
    answer(conversations, [Message("user", "Hi")], "hosted", TextDelta("Hel"))
    assert stands(conversations, Message("user", "Hi"), Message("assistant", "Hel")).last is None


def test_memory_is_bounded_and_what_is_used_stays():
    conversations = Conversations(0.2, PRICE, most=2)
    for name in ("a", "b"):
        answer(conversations, [Message("user", name)], "local", TextDelta("x"), Finish("stop", Usage(1, 1)))
    assert stands(conversations, Message("user", "a"), Message("assistant", "x")).last == "local"
    answer(conversations, [Message("user", "c")], "local", TextDelta("x"), Finish("stop", Usage(1, 1)))
    assert stands(conversations, Message("user", "a"), Message("assistant", "x")).last == "local"
    assert stands(conversations, Message("user", "b"), Message("assistant", "x")).last is None


def test_home_is_measured_by_the_prompts_that_it_reads():
    conversations = Conversations(0.2, None)
    before = stands(conversations).prefill_s
    short = Finish("stop", Usage(50, 1), Timings(prompt_s=60.0))
    cached = Finish("stop", Usage(5000, 1, cached_tokens=4990), Timings(prompt_s=60.0))
    for finish in (short, cached, Finish("stop", Usage(5000, 1)), Finish("stop")):
        answer(conversations, [], "local", finish)
    answer(conversations, [], "hosted", Finish("stop", Usage(1000, 1), Timings(prompt_s=60.0)))
    assert stands(conversations).prefill_s == before
    for _ in range(20):
        answer(conversations, [], "local", Finish("stop", Usage(1000, 1), Timings(prompt_s=10.0)))
    assert stands(conversations).prefill_s == pytest.approx(0.01, rel=0.01)


def test_followed_says_what_is_added_to_the_threshold():
    conversations = Conversations(0.2, PRICE)
    ask = Message("user", "word " * 8000)
    assert conversations.follow(GenerationRequest((ask,))).shift == 0
    answer(conversations, [ask], "local", TextDelta("x"), Finish("stop", Usage(1, 1)))
    goes_on = GenerationRequest((ask, Message("assistant", "x"), Message("user", "y")))
    assert 0.1 < conversations.follow(goes_on).shift < 0.2


def test_tokens_are_counted_roughly():
    picture = Message("user", (TextPart("abcd"), ImagePart("data:x")))
    assert (
        tokens_of((picture, Message("assistant", tool_calls=(ToolCall("c", "name", "arguments..."),))))
        == 1005
    )


# ---------------------------------------------------------------- what home lacks

BLIND = ModelInfo("m", local=True)
SHOWN = Message("user", (TextPart("What is this?"), ImagePart("data:x")))


def test_a_picture_is_needed_until_the_question_after_it_was_answered():
    said, ask = Message("assistant", "A cat."), Message("user", "Go on.")
    assert needs(GenerationRequest((SHOWN,)), BLIND) == "vision"
    assert needs(GenerationRequest((SHOWN, said, ask)), BLIND) == "vision"
    assert needs(GenerationRequest((SHOWN, said, ask, said, ask)), BLIND) is None
    assert needs(GenerationRequest((SHOWN,)), msgspec.structs.replace(BLIND, vision=True)) is None


def test_tools_are_needed_where_they_are_offered():
    asked = GenerationRequest((Message("user", "x"),), tools=(Tool("f"),))
    assert needs(asked, msgspec.structs.replace(BLIND, tools=False)) == "tools"
    assert needs(asked, BLIND) is None


# ---------------------------------------------------------------- what is asked

ASKED = Message("user", "Do all tasks.")
CALLS = Message("assistant", tool_calls=(TOOL,))


def gave(text):
    return Message("tool", text, tool_call_id="c1")


@pytest.mark.parametrize(
    ("messages", "asked"),
    [
        ([], ""),
        ([Message("system", "Be kind.")], ""),
        ([Message("user", "One"), Message("assistant", "Two"), Message("user", "Three")], "Three"),
        ([ASKED, CALLS, gave("How many are left?")], "Do all tasks.\nHow many are left?"),
        (
            [ASKED, CALLS, gave('Task: "Why?"'), gave("And how? Go.")],
            'Do all tasks.\nTask: "Why?"\nAnd how? Go.',
        ),
        ([ASKED, CALLS, gave("total 48, 12 files")], "Do all tasks."),
        ([ASKED, CALLS, gave("x = a ? b : c; print(x?.y)")], "Do all tasks."),
        ([ASKED, CALLS, gave("Why? " * 401)], "Do all tasks."),
        ([ASKED, CALLS, gave("Why?"), Message("assistant", "So."), CALLS, gave("12")], "Do all tasks."),
    ],
)
def test_a_step_is_as_hard_as_what_a_tool_asks(messages, asked):
    assert asked_in(messages) == asked
