import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.messages import GenerationRequest, ImagePart, Message, Notice, TextPart, Tool, ToolCall
from isthmus.reasoning.effort import Plan, instructed, plan_of, thinking_request
from isthmus.settings import ReasoningSettings

QUESTION = "How many is 6 x 7?"
TOOL = Tool("look")


def request(effort="high", text=QUESTION, **fields):
    return GenerationRequest((Message("user", text),), effort=effort, **fields)


def plan(given=None, **fields):
    found = plan_of(given or request(**fields), ReasoningSettings())
    assert isinstance(found, Plan)
    return found


@pytest.mark.parametrize("effort", [None, "none", "minimal"])
def test_no_effort_is_no_plan(effort):
    assert plan_of(request(effort), ReasoningSettings()) is None


@pytest.mark.parametrize(
    ("effort", "way", "samples", "programs", "statement"),
    [
        ("low", "plan", 8, 0, "a plan of up to 128 tokens, within 300 s"),
        ("medium", "think", 8, 0, "up to 1,024 tokens of thought, within 300 s"),
        ("high", "vote", 8, 0, "up to 8 samples of 1,024 tokens, within 300 s"),
        ("xhigh", "vote", 16, 8, "up to 16 samples of 1,024 tokens, within 300 s"),
    ],
)
def test_what_each_effort_comes_to(effort, way, samples, programs, statement):
    found = plan(effort=effort)
    assert (found.way, found.rules.samples, found.rules.programs) == (way, samples, programs)
    assert found.statement == statement
    assert found.notice is None
    assert not found.closes


def test_programs_are_for_numbers_and_for_those_who_let_them_run():
    assert plan(effort="xhigh", text="Why is the sky blue?").rules.programs == 0
    found = plan_of(request("xhigh"), ReasoningSettings(python=False))
    assert isinstance(found, Plan)
    assert found.rules.programs == 0


@pytest.mark.parametrize(
    ("fields", "way", "why"),
    [
        ({"tools": (TOOL,)}, "think", "tools are offered"),
        ({"tools": (TOOL,), "tool_choice": "none"}, "vote", None),
        ({"n": 2}, "think", "several answers"),
        ({"response_format": {"type": "json_schema"}}, "vote", None),
        ({"grammar": "root ::= x"}, "vote", None),
        ({"stop": ("END",)}, "vote", None),
        ({"max_total": 300}, "think", "300 tokens have no room for two"),
    ],
)
def test_what_a_vote_can_not_be_had_with(fields, way, why):
    found = plan(**fields)
    assert found.way == way
    assert (found.notice is None) == (why is None)
    if found.notice is not None:
        assert found.notice.code == "effort_lowered"
        assert why in found.notice.text
    assert found.closes == (set(fields) != {"max_total"})


@pytest.mark.parametrize(
    "given",
    [
        request(raw="a prompt"),
        GenerationRequest((Message("user", "q"), Message("assistant", "It is")), effort="high"),
        request(continues=True),
    ],
)
def test_where_effort_makes_no_difference_it_is_said(given):
    found = plan_of(given, ReasoningSettings())
    assert isinstance(found, Notice)
    assert found.code == "effort_ignored"


def test_between_tools_nothing_is_thought_again():
    messages = (
        Message("user", "q"),
        Message("assistant", tool_calls=(ToolCall("1", "look", "{}"),)),
        Message("tool", "seen", tool_call_id="1"),
    )
    assert plan_of(GenerationRequest(messages, effort="high", tools=(TOOL,)), ReasoningSettings()) is None


@given(
    st.sampled_from(["low", "medium", "high", "xhigh"]),
    st.none() | st.integers(1, 20_000),
    st.none() | st.integers(1, 20_000),
    st.none() | st.integers(0, 20_000),
    st.booleans(),
)
def test_a_budget_is_never_promised_twice(effort, max_tokens, total, thought, formed):
    form = {"type": "json_schema"} if formed else None
    found = plan(
        request(
            effort, max_tokens=max_tokens, max_total=total, reasoning_budget=thought, response_format=form
        )
    )
    budget, rules = found.budget, found.rules
    assert budget.each >= 1
    assert 1 <= rules.wave <= rules.samples
    assert 0 <= rules.programs <= rules.samples // 2
    if max_tokens is not None and found.way != "plan":
        assert budget.each <= max_tokens
    if total is not None:
        assert budget.total is not None
        assert budget.total <= total
        assert budget.each <= total
        if found.way == "vote":
            assert rules.samples * budget.each + budget.answer <= total


def test_an_instruction_follows_the_question():
    assert instructed(request(), "Think.").messages[-1].content == f"{QUESTION}\n\nThink."
    seen = (TextPart("What is this?"), ImagePart("data:x"))
    pictured = GenerationRequest((Message("user", seen),))
    assert instructed(pictured, "Think.").messages[-1].content == (*seen, TextPart("\n\nThink."))
    system = GenerationRequest((Message("system", "Be kind."),))
    assert instructed(system, "Think.").messages[1:] == (Message("user", "Think."),)


def test_what_comes_before_an_answer_has_no_form_of_an_answer():
    given = request(
        stop=("x",),
        tools=(TOOL,),
        tool_choice="required",
        response_format={"type": "json_schema"},
        grammar="root ::= x",
        n=3,
        max_total=9,
        temperature=0.3,
        seed=7,
        logit_bias={"1": -100.0},
        home_only=True,
    )
    expected = GenerationRequest(
        given.messages, max_tokens=5, temperature=0.3, seed=7, logit_bias={"1": -100.0}, home_only=True
    )
    assert thinking_request(given, 5) == expected
