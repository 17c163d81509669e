"""Tool calls against what is wanted; the other grades are tests/scoring's."""

import json

import pytest

from isthmus.errors import UsageError
from isthmus.evals.grading import check, check_calls
from isthmus.evals.problems import Answer, CodeTests, ExpectedCall, Problem
from isthmus.messages import ToolCall
from isthmus.scoring import Verdict

WEATHER = ExpectedCall("weather", {"city": ("New York", "NYC"), "unit": ("celsius", None)})


def made(name="weather", **arguments):
    return ToolCall("1", name, json.dumps(arguments))


@pytest.mark.parametrize(
    "call",
    [made(city="New York", unit="celsius"), made(city="nyc"), made(city="new-york", unit="Celsius")],
)
def test_accepted_values_in_any_dressing_and_what_may_be_left_out(call):
    assert check_calls([call], [WEATHER]).right


@pytest.mark.parametrize(
    ("calls", "why"),
    [
        ([], "weather was not called"),
        ([made("forecast", city="NYC")], "forecast was not to be called"),
        ([made(city="Boston")], 'city of weather is "Boston"'),
        ([made(unit="celsius")], "weather lacks city"),
        ([made(city="NYC", day=1)], "was given day"),
        ([made(city="NYC"), made(city="NYC")], "weather was not to be called"),
        ([ToolCall("1", "weather", "{city")], "no JSON"),
        ([ToolCall("1", "weather", "[1]")], "no object"),
    ],
)
def test_what_is_wrong_with_a_call_is_said(calls, why):
    found = check_calls(calls, [WEATHER])
    assert not found.right
    assert why in found.why


def test_several_calls_come_in_any_order():
    other = ExpectedCall("add", {"x": (2,), "flags": ((True, 1.0),)})
    calls = [made("add", x=2, flags=[True, 1]), made(city="NYC")]
    assert check_calls(calls, [WEATHER, other]).right
    assert not check_calls([made("add", x=True, flags=[True, 1]), made(city="NYC")], [WEATHER, other]).right


def test_an_object_has_accepted_values_of_its_own():
    wanted = ExpectedCall("find", {"range": ({"low": [1, 2], "high": [9, ""]},)})
    assert check_calls([made("find", range={"low": 2})], [wanted]).right
    assert not check_calls([made("find", range={"low": 3, "high": 9})], [wanted]).right
    assert not check_calls([made("find", range={"low": 1, "step": 1})], [wanted]).right


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("problem", "right", "wrong"),
    [
        (Problem("1", "?", "exact", "Paris"), "Paris.", "London"),
        (Problem("1", "?", "regex", r"\bA-\d+\b"), "It is A-17.", "A17"),
        (Problem("1", "?", "numeric", "1,012"), "So \\boxed{1012}", "1013"),
        (Problem("1", "?", "choice", "E", options=5), "\\boxed{E}", "\\boxed{A}"),
        (Problem("1", "?", "schema", schema={"type": "array"}), "[1]", "{}"),
    ],
)
async def test_each_grade_is_judged_by_its_rule(problem, right, wrong):
    assert (await check(problem, Answer(right))).right
    assert not (await check(problem, Answer(wrong))).right


@pytest.mark.anyio
async def test_what_only_a_judge_can_judge_needs_one():
    async def judge(question, answer, gold):
        return Verdict(right=answer == gold, extracted=None, why="so it says")

    problem = Problem("1", "Nice?", "judge", "yes")
    assert (await check(problem, Answer("yes"), judge)).right
    with pytest.raises(UsageError, match="a judge is needed"):
        await check(problem, Answer("yes"))


@pytest.mark.anyio
async def test_code_without_tests_is_never_right_or_wrong():
    with pytest.raises(UsageError, match="no tests"):
        await check(Problem("7", "Add.", "code"), Answer("x = 1"))


@pytest.mark.anyio
@pytest.mark.usefixtures("sandboxes")
@pytest.mark.parametrize(
    "tests",
    [
        CodeTests(asserts=("assert one() == 1",)),
        CodeTests(check="def check(f):\n    assert f() == 1\n", entry_point="one", prompt="def one():\n"),
    ],
)
async def test_code_is_run_both_ways(tests):
    problem = Problem("1", "One.", "code", tests=tests)
    assert (await check(problem, Answer("```python\ndef one():\n    return 1\n```"))).right
    assert not (await check(problem, Answer("```python\ndef one():\n    return 2\n```"))).right
