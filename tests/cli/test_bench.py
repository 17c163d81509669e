"""What needs no model; runs are in tests/evals/test_running.py."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from isthmus.evals.folders import Facts, RunFolder
from isthmus.evals.report import as_markdown
from isthmus.evals.summary import summarise
from tests.evals.made import BOTH, HOME, plan, results

OWN = '{"prompt": "6 times 7?", "answer": 42, "grade": "numeric"}\n'


@pytest.fixture
def own():
    path = Path("own.jsonl")
    path.write_text(OWN)
    return str(path)


@pytest.fixture
def finished(home):
    """A run that has a report: home got half right, the hybrid all."""
    made = plan(HOME, BOTH)
    sizes = {cell.slug: 20 for cell in made.cells}
    folder = RunFolder(home / "bench" / made.name)
    folder.begin(made, Facts("isthmus bench run", {}, sizes))
    found = [*results(HOME, "rw" * 10), *results(BOTH, "r" * 20, handed=range(1, 20, 2))]
    folder.save_report(summarise(folder.name, made, sizes, found))
    return folder


def test_suites_and_runs_are_listed(isthmus, finished):
    shown = isthmus("bench", "list")
    assert shown.code == 0
    assert "gsm8k" in shown.out
    assert finished.name in shown.out
    found = json.loads(isthmus("bench", "list", "--json").out)
    assert found["runs"][0]["models"] == "tiny, tiny + hand-off"
    assert {"gsm8k", "mbpp", "own"} <= {each["name"] for each in found["suites"]}


def test_gold_tells_what_is_sound_and_ends_badly_where_something_is_not(isthmus, own):
    assert json.loads(isthmus("bench", "gold", own, "--json").out)["own"][0]["solution"] is True
    Path(own).write_text(OWN + '{"prompt": "?", "answer": "^", "grade": "regex"}\n')
    ended = isthmus("bench", "gold", own)
    assert ended.code != 0
    assert "problem 1: an empty answer passes" in ended.err
    assert "1 problems can't tell right from wrong" in ended.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--margin", "0.1"], "104 problems put the 95% interval of 50% within 10.0%"),
        (
            ["--difference", "0.1", "--disagreement", "0.3"],
            "234 problems show a difference of 10.0% with 80% certainty, if the two disagree on 30% of them",
        ),
    ],
)
def test_a_plan_says_how_many_problems(isthmus, words, said):
    assert isthmus("bench", "plan", *words).out.strip() == said


@pytest.mark.parametrize(
    "words", [[], ["--margin", "0.1", "--difference", "0.1"], ["--margin", "0"], ["--difference", "2"]]
)
def test_a_plan_for_nothing_is_refused(isthmus, words):
    assert isthmus("bench", "plan", *words).code == 2


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["run", "own.jsonl", "--effort", "hard"], "'hard' is no effort"),
        (["run", "own.jsonl", "--handoff", "maybe"], "'maybe' is no hand-off mode"),
        (["run", "own.jsonl", "gsm8k", "--rows", "0:5"], "doesn't say for which suite"),
        (["run", "gsm8k"], "gsm8k needs its data"),
        (["run", "missing.jsonl"], "there is no suite 'missing.jsonl'"),
        (["report"], "there is no run yet"),
        (["compare", "nothing"], "there is no run 'nothing'"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(isthmus, own, words, why):
    ended = isthmus("bench", *words)
    assert ended.code == 2
    assert why in ended.err


def test_ones_own_run_recommends(isthmus, finished):
    told = isthmus("recommend", "--suite", "gsm8k")
    assert told.out.strip() == "tiny"
    assert "tiny + hand-off: 100.0%" in told.err
    found = json.loads(isthmus("recommend", "--suite", "gsm8k", "--json").out)
    assert found["take"]["label"] == "tiny + hand-off"
    assert isthmus("recommend", "--suite", "mbpp").code == 2


def test_the_markdown_of_a_report_reads_in_a_terminal(finished):
    assert "| tiny + hand-off | 100.0% |" in as_markdown(finished.report())


def test_inspect_is_imported_by_those_who_run_only():
    """Its import takes a second, and core comes without it."""
    modules = "isthmus.cli.main, isthmus.cli.bench_run, isthmus.cli.bench_report, isthmus.evals.gold"
    found = subprocess.run(
        [sys.executable, "-c", f"import sys, {modules}; print('inspect_ai' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == "False"
