import json
import shutil

import anyio
import pytest

from isthmus.errors import UsageError
from isthmus.evals.exercising import check, exercise_of, judge_files
from isthmus.evals.problems import Answer
from isthmus.evals.suites.exercises import PRACTICE, exercise_in, read

sandboxed = pytest.mark.usefixtures("sandboxes")
EVERY = [pytest.param(each, id=each.id) for each in read(PRACTICE)]
FEW = {"01-running-total", "19-repair-agenda"}


@pytest.fixture
def exercise(tmp_path):
    """A copy of an exercise, to be spoilt."""
    return shutil.copytree(PRACTICE / "17-repair-stock", tmp_path / "exercises" / "17-repair-stock")


def changed(folder, **files):
    path = folder / ".meta/config.json"
    config = json.loads(path.read_text())
    config["files"] |= files
    path.write_text(json.dumps(config))


def test_our_own_are_twenty_of_rising_difficulty():
    problems = [each.values[0] for each in EVERY]
    assert [int(each.id[:2]) for each in problems] == list(range(1, 21))
    assert sum(len(exercise_of(each).solution) > 1 for each in problems) == 4


@pytest.mark.parametrize("problem", EVERY)
def test_who_is_measured_sees_the_files_and_neither_tests_nor_solution(problem):
    exercise = exercise_of(problem)
    shown = {path: exercise.files.get(path) for path in exercise.tests}
    assert all(text is None or path == "tests/test_basics.py" for path, text in shown.items())
    assert all(text in problem.prompt for text in exercise.files.values())
    assert not any(text in problem.prompt for text in exercise.reference.values())
    assert all(text not in problem.prompt for path, text in exercise.tests.items() if shown[path] is None)


@sandboxed
@pytest.mark.parametrize(
    "problem",
    [
        each if each.id in FEW else pytest.param(*each.values, id=each.id, marks=pytest.mark.slow)
        for each in EVERY
    ],
)
def test_its_solution_passes_and_its_stub_fails(problem):
    good = anyio.run(check, problem, Answer(problem.solution))
    assert good.right, good.why
    stub = anyio.run(check, problem, Answer("I don't know."))
    assert not stub.right
    assert stub.why == "no file is in the answer"


@sandboxed
def test_tests_in_an_answer_do_not_count():
    problem = next(read(PRACTICE))
    (path,) = exercise_of(problem).tests
    found = anyio.run(judge_files, exercise_of(problem), {path: "import unittest"})
    assert not found.right


@sandboxed
def test_ending_the_tests_is_not_passing_them():
    problem = next(read(PRACTICE))
    answer = "```python\n# running_total.py\nimport os\nos._exit(0)\n```"
    assert not anyio.run(check, problem, Answer(answer)).right


@sandboxed
def test_an_exercise_whose_stub_passes_is_seen_by_gold(exercise):
    changed(exercise, test=["tests/test_basics.py"])
    (problem,) = read(exercise.parent)
    assert anyio.run(check, problem, Answer("")).right


def test_a_folder_that_is_no_exercise_is_refused_with_what_is_wrong(exercise):
    for files, words in (
        ({"test": []}, "no tests"),
        ({"solution": [], "example": []}, "no file for a solution"),
        ({"test": ["tests/none.py"]}, "No such file"),
        ({"example": [".meta/example/stock/money.py"]}, "1 example files for 3"),
        ({"test": ["stock_test.go"]}, "No such file|isn't in Python"),
        ({"solution": 7}, "Expected"),
    ):
        before = (exercise / ".meta/config.json").read_text()
        changed(exercise, **files)
        with pytest.raises(UsageError, match=words):
            exercise_in(exercise)
        (exercise / ".meta/config.json").write_text(before)


def test_another_language_is_refused(exercise):
    (exercise / "stock.go").write_text("package stock")
    changed(exercise, solution=["stock.go"], example=[])
    with pytest.raises(UsageError, match=r"isn't in Python \(stock.go\)"):
        exercise_in(exercise)


def test_instructions_have_their_introduction_and_what_is_appended(exercise):
    (exercise / ".docs/introduction.md").write_text("INTRODUCTION")
    (exercise / ".docs/instructions.append.md").write_text("APPENDED")
    text = exercise_in(exercise).instructions
    assert text.index("INTRODUCTION") < text.index("Repair: stock") < text.index("APPENDED")
