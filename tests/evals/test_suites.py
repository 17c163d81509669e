"""Published files are read as they were published, and a row that can't be judged is named."""

import io
import json
import tarfile
from pathlib import Path

import pytest

from isthmus.errors import UsageError
from isthmus.evals.data import digests_of
from isthmus.evals.suites import suites


def written(name, *rows):
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def read(suite, path):
    return list(suites()[suite].read(path))


def test_gsm8ks_answer_is_its_last_line():
    path = written("train.jsonl", {"question": "How many?", "answer": "3*4=<<3*4=12>>12\n#### 1,012"})
    (problem,) = read("gsm8k", path)
    assert (problem.answer, problem.grade) == ("1,012", "numeric")
    assert problem.prompt.startswith("How many?\n")
    with pytest.raises(UsageError, match=r"line 1.*ends on no ####"):
        read("gsm8k", written("bad.jsonl", {"question": "How many?", "answer": "12"}))


MBPP = {"text": "Add.", "code": "def add(a, b):\n    return a + b", "test_list": ["assert add(1, 2) == 3"]}


def test_mbpp_is_its_test_split():
    path = written("mbpp.jsonl", *({**MBPP, "task_id": n} for n in (10, 11, 510, 511)))
    problems = read("mbpp", path)
    assert [each.id for each in problems] == ["11", "510"]
    assert problems[0].tests.asserts == ("assert add(1, 2) == 3",)
    assert "assert add(1, 2) == 3" in problems[0].prompt


def test_a_task_without_tests_is_refused():
    with pytest.raises(UsageError, match=r"line 1.*no tests"):
        read("mbpp", written("mbpp.jsonl", {**MBPP, "task_id": 20, "test_list": []}))


def test_humanevals_solution_goes_on_from_its_prompt():
    row = {
        "task_id": "HumanEval/0",
        "prompt": "def one():\n",
        "entry_point": "one",
        "canonical_solution": "    return 1\n",
        "test": "def check(f):\n    assert f() == 1\n",
    }
    (problem,) = read("humaneval", written("HumanEval.jsonl", row))
    assert problem.solution == "```python\ndef one():\n    return 1\n\n```"
    assert (problem.tests.entry_point, problem.tests.prompt) == ("one", "def one():\n")


def test_mmlu_is_read_from_its_archive_a_folder_or_one_subject():
    table = 'Which is "even"?,1,2,3,5,B\n'
    folder = Path("data/test")
    folder.mkdir(parents=True)
    (folder / "algebra_test.csv").write_text(table)
    (folder.parent / "algebra_dev.csv").write_text(table)
    with tarfile.open("data.tar", "w") as archive:
        member = tarfile.TarInfo("data/test/algebra_test.csv")
        member.size = len(table)
        archive.addfile(member, io.BytesIO(table.encode()))
    for path in ("data", "data.tar", "data/test/algebra_test.csv"):
        (problem,) = read("mmlu", Path(path))
        assert (problem.id, problem.answer, problem.cluster) == ("algebra/0", "B", "algebra")
        assert "B) 2" in problem.prompt
    (folder / "algebra_test.csv").write_text("too,few,columns\n")
    with pytest.raises(UsageError, match="algebra, row 1"):
        read("mmlu", Path("data"))


def test_arcs_choices_have_letters_whatever_their_labels():
    row = {
        "id": "q1",
        "answerKey": "3",
        "question": {
            "stem": "Which?",
            "choices": [{"text": t, "label": str(n)} for n, t in enumerate("xyz", 1)],
        },
    }
    (problem,) = read("arc", written("ARC.jsonl", row))
    assert (problem.answer, problem.options) == ("C", 3)
    with pytest.raises(UsageError, match="none of its choices"):
        read("arc", written("bad.jsonl", {**row, "answerKey": "4"}))


CALL = {
    "id": "simple_0",
    "question": [[{"role": "user", "content": "Area of 3 by 4?"}]],
    "function": [
        {
            "name": "geometry.area",
            "description": "Area.",
            "parameters": {"type": "dict", "properties": {"w": {"type": "float"}, "any": {"type": "any"}}},
        }
    ],
}
TRUTH = {"id": "simple_0", "ground_truth": [{"geometry.area": {"w": [3.0, 3], "unit": ["cm", ""]}}]}


def test_calls_have_schemas_of_json_and_arguments_that_may_be_left_out():
    path = written("bfcl/simple.json", CALL)
    written("bfcl/possible_answer/simple.json", TRUTH)
    (problem,) = read("calls", path)
    assert problem.tools[0].name == problem.calls[0].name == "geometry_area"
    assert problem.tools[0].parameters == {
        "type": "object",
        "properties": {"w": {"type": "number"}, "any": {}},
    }
    assert problem.calls[0].arguments == {"w": (3.0, 3), "unit": ("cm", None)}


def test_other_answers_to_the_same_questions_are_another_benchmark():
    path = written("bfcl/simple.json", CALL)
    written("bfcl/possible_answer/simple.json", TRUTH)
    before = digests_of(path, suites()["calls"])
    written("bfcl/possible_answer/simple.json", {**TRUTH, "ground_truth": []})
    assert digests_of(path, suites()["calls"]) != before


def test_calls_without_what_is_right_are_refused():
    with pytest.raises(UsageError, match="isn't beside it"):
        read("calls", written("bfcl/simple.json", CALL))


def test_a_suite_of_ones_own_says_what_a_row_lacks():
    for row, lacking in (
        ({"prompt": "Add.", "grade": "code"}, "tests"),
        ({"prompt": "JSON?", "grade": "schema"}, "schema"),
        ({"prompt": "6 times 7?", "grade": "numeric"}, "answer"),
        ({"prompt": " ", "answer": "x"}, "prompt"),
        ({"prompt": "Call.", "grade": "calls"}, "calls"),
    ):
        with pytest.raises(UsageError, match=f"line 1: it has no {lacking}"):
            read("own", written("own.jsonl", row))


def test_a_suite_of_ones_own_has_ids_that_differ():
    rows = [{"prompt": "?", "answer": "x", "id": 1}, {"prompt": "!", "answer": "y", "id": "1"}]
    with pytest.raises(UsageError, match="line 2: another row has the id '1'"):
        read("own", written("own.jsonl", *rows))


def test_an_unknown_grade_is_named_with_its_line():
    with pytest.raises(UsageError, match=r"line 1.*vibes"):
        read("own", written("own.jsonl", {"prompt": "?", "answer": "x", "grade": "vibes"}))
