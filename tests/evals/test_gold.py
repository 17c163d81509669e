import pytest

from isthmus.evals.data import Dataset
from isthmus.evals.gold import prove
from isthmus.evals.problems import ExpectedCall, Problem
from isthmus.evals.suites import suites
from tests.evals.made import SOURCE

pytestmark = pytest.mark.anyio


async def proven(*problems):
    told = []
    dataset = Dataset(suites()["own"], SOURCE, problems)
    return await prove(dataset, lambda done, bad: told.append((done, bad))), told


async def test_a_sound_problem_passes_its_solution_and_fails_an_empty_answer():
    (found,), told = await proven(Problem("1", "?", "numeric", "42", solution="so \\boxed{42}"))
    assert (found.solution, found.empty, found.good) == (True, False, True)
    assert told == [(1, 0)]


async def test_a_wrong_solution_and_a_test_that_anything_passes_are_named():
    found, told = await proven(
        Problem("1", "?", "numeric", "42", solution="41"), Problem("2", "?", "regex", "^", solution="x")
    )
    assert [each.good for each in found] == [False, False]
    assert "its solution fails" in found[0].why
    assert found[1].why == "an empty answer passes"
    assert told[-1] == (2, 2)


async def test_where_no_solution_is_known_the_empty_answer_is_still_tried():
    (found,), _ = await proven(Problem("1", "?", "regex", "x"))
    assert (found.solution, found.good) == (None, True)


async def test_wanted_calls_are_their_own_solution():
    call = ExpectedCall("add", {"x": (1, 2), "y": (None, 3)})
    (found,), _ = await proven(Problem("1", "?", "calls", calls=(call,)))
    assert found.good


async def test_a_wanted_object_has_accepted_values_of_its_own():
    rules = [{"field": ["age"], "value": ["25", "26"]}, {"field": ["job"], "value": ["", "cook"]}]
    call = ExpectedCall("find", {"range": ({"low": [1, 2], "high": ["", 9]},), "rules": (rules,)})
    (found,), _ = await proven(Problem("1", "?", "calls", calls=(call,)))
    assert found.good


async def test_what_only_a_model_can_judge_is_left_out():
    found, _ = await proven(Problem("1", "?", "judge", "x"))
    assert found == []
