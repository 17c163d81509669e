"""What a family of models is told."""

import pytest

from isthmus.messages import GenerationRequest, Message, ModelInfo, ToolCall
from isthmus.reasoning.budget import CLOSING
from isthmus.reasoning.families import FAMILIES
from isthmus.reasoning.preparing import prepare, replayed

FAMILY = {family.name: family for family in FAMILIES}
BARE = ModelInfo("m", local=True)
HI = (Message("user", "hi"),)


def prepared(family, **asked):
    return prepare(FAMILY[family], GenerationRequest(HI, **asked), BARE)


@pytest.mark.parametrize(
    ("family", "effort", "told"),
    [
        ("gpt-oss", "low", {"reasoning_effort": "low"}),
        ("gpt-oss", "xhigh", {"reasoning_effort": "high"}),
        ("qwen3", "none", {"enable_thinking": False}),
        ("qwen3", "minimal", {"enable_thinking": True}),
        ("deepseek-v3.1", "high", {"thinking": True}),
        ("deepseek-r1", "high", None),
        ("seed-oss", "none", {"thinking_budget": 0}),
        ("seed-oss", "low", {"thinking_budget": 1024}),
        ("qwen3", None, None),
    ],
)
def test_effort_reaches_the_template(family, effort, told):
    assert prepared(family, effort=effort).request.template == told


def test_what_the_person_tells_the_template_counts():
    request = prepared("qwen3", effort="high", template={"enable_thinking": False, "x": 1}).request
    assert request.template == {"enable_thinking": False, "x": 1}


@pytest.mark.parametrize(("effort", "words"), [("none", "/no_think"), ("high", "/think")])
def test_words_in_the_system_message_switch_some(effort, words):
    assert prepared("nemotron", effort=effort).request.messages == (Message("system", words), *HI)
    assert prepared("nemotron").request.messages == HI


def test_a_nearest_effort_is_said():
    there = prepared("gpt-oss", effort="none")
    assert (there.request.effort, there.notice.code) == ("low", "effort_nearest")
    assert there.notice.text == "gpt-oss knows no reasoning effort none (but low, medium, high): low is used"
    assert prepared("qwen3", effort="none").notice is None
    assert prepared("gpt-oss").notice is None


def test_a_budget_of_nothing_is_no_effort():
    assert prepared("qwen3", effort="high", reasoning_budget=0).request.effort == "none"
    there = prepared("deepseek-r1", effort="high", reasoning_budget=0)
    assert (there.request.effort, there.budget) == ("high", 0)


def test_the_engine_is_told_a_budget_and_how_to_end_a_thought():
    request = prepared("qwen3", effort="low", max_tokens=4000, max_total=3000).request
    assert (request.max_tokens, request.reasoning_budget) == (3000, 1024)
    assert CLOSING in request.reasoning_closing
    assert prepared("deepseek-r1", reasoning_budget=0).request.reasoning_budget == 1
    free = prepared("qwen3").request
    assert (free.reasoning_budget, free.reasoning_closing) == (None, None)


def test_tokens_are_chosen_as_the_makers_recommend_unless_somebody_says_otherwise():
    request = prepared("qwen3", effort="high").request
    assert (request.temperature, request.top_p, request.top_k, request.min_p) == (0.6, 0.95, 20, 0.0)
    assert prepared("qwen3", effort="high", temperature=0.0).request.top_p is None
    assert prepared("qwen3", effort="none").request.temperature is None


CALLED = (
    Message("user", "1?"),
    Message("assistant", "one", reasoning="old"),
    Message("user", "2?"),
    Message("assistant", reasoning="new", tool_calls=(ToolCall("c", "f", "{}"),)),
    Message("tool", "2", tool_call_id="c"),
)


@pytest.mark.parametrize(
    ("replay", "thoughts"), [("never", []), ("calls", ["new"]), ("always", ["old", "new"])]
)
def test_thoughts_of_before_are_shown_as_the_family_has_them(replay, thoughts):
    shown = replayed(CALLED, replay)
    assert [message.reasoning for message in shown if message.reasoning] == thoughts
    assert [message.text for message in shown] == [message.text for message in CALLED]
