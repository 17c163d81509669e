"""Whole runs through Inspect: models are scripted servers on loopback, so that every figure is exact."""

import gc
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import inspect_ai
import pytest
from inspect_ai.log import read_eval_log

from tests.cli.conftest import isthmus
from tests.upstream import Upstream, answer, status

__all__ = ["isthmus"]

# Inspect leaves memory streams open at a run's end, and calls what others have deprecated.
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning", "ignore::DeprecationWarning"
)

PAIRS = [(1, 1), (1, 2), (2, 2), (2, 3), (3, 3), (3, 4)]


@pytest.fixture(autouse=True)
def collected():
    """What Inspect leaves behind is complained of here, where that is expected."""
    yield
    gc.collect()


def asked(request):
    """The numbers that a request asks to add."""
    text = request.json["messages"][-1]["content"]
    return tuple(map(int, re.findall(r"(\d+) plus (\d+)", text)[0]))


def adds(right):
    """A model that adds, rightly where ``right`` says so of a sum."""

    def reply(request):
        total = sum(asked(request))
        return answer(f"It is {total if right(total) else total + 1}.")

    return reply


@pytest.fixture
def sums():
    """A suite of one's own: six sums."""
    rows = [{"prompt": f"What is {a} plus {b}?", "answer": a + b, "grade": "numeric"} for a, b in PAIRS]
    path = Path("sums.jsonl")
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


@pytest.fixture
def pair():
    """Settings with a model at home, which gets even sums right, and a hosted one, which gets all."""
    with Upstream(adds(lambda total: total % 2 == 0)) as home, Upstream(adds(lambda total: True)) as away:
        write_settings(home.url, away.url)
        yield home, away


def write_settings(home, away=None):
    lines = ["[providers.home]", f'base_url = "{home}"', "local = true"]
    if away is not None:
        lines += ["[providers.away]", f'base_url = "{away}"', 'model = "large"', "input_usd_per_mtok = 1"]
        lines += ["output_usd_per_mtok = 2", "[handoff]", 'provider = "away"']
    Path("isthmus.toml").write_text("\n".join(lines))


def bench(isthmus, *words):
    ended = isthmus("bench", *words, "--json")
    assert ended.code == 0, ended.err
    return json.loads(ended.out)


def test_home_alone_and_hosted_alone_over_one_suite(isthmus, sums, pair):
    report = bench(isthmus, "run", str(sums), "-m", "home/small", "--handoff", "off", "--handoff", "always")
    home, hosted = report["figures"]
    assert (home["right"], home["wrong"], home["errors"], home["missing"]) == (3, 3, 0, 0)
    assert (hosted["right"], hosted["wrong"]) == (6, 0)
    assert hosted["answered_by"] == "large"
    assert float(hosted["cost_usd"]) > 0 == float(home["cost_usd"])
    assert home["accuracy"]["low"] == pytest.approx(0.1181, abs=1e-4)  # Clopper-Pearson of 3 of 6
    (compared,) = report["comparisons"]
    assert (compared["both"], compared["only_second"], compared["neither"]) == (3, 3, 0)
    folder = next(Path(os.environ["ISTHMUS_HOME"], "bench").iterdir())
    assert {"report.html", "report.md", "report.json", "results.jsonl", "plan.json"} <= {
        each.name for each in folder.iterdir()
    }
    (log, *_) = folder.glob("logs/*/*.eval")
    read = read_eval_log(str(log))
    assert read.status == "success"
    assert read.samples[0].output.metadata["isthmus"]["route"] in ("local", "hosted")


def test_an_endpoint_that_dies_is_told_apart_and_the_same_command_mends_it(isthmus, sums):
    broken = {4, 5}

    def reply(request):
        if sum(asked(request)) in broken:
            return status(500, {"error": {"message": "out of memory"}})
        return adds(lambda total: True)(request)

    with Upstream(reply) as home:
        write_settings(home.url)
        first = bench(isthmus, "run", str(sums), "-m", "home/small")["figures"][0]
        assert (first["right"], first["wrong"], first["errors"]) == (4, 0, 2)
        assert first["error_texts"] == ["home failed: out of memory"]
        broken.clear()
        before = len(home.requests)
        again = bench(isthmus, "run", str(sums), "-m", "home/small")["figures"][0]
        assert (again["right"], again["errors"], again["missing"]) == (6, 0, 0)
        assert sorted(sum(asked(each)) for each in home.requests[before:]) == [4, 5]


def test_attempts_have_seeds_of_their_own_and_are_warm(isthmus, sums, pair):
    report = bench(
        isthmus, "run", str(sums), "-m", "home/small", "--attempts", "2", "--seed", "7", "--rows", "0:2"
    )
    assert sorted(each.json["seed"] for each in pair[0].requests) == [7, 7, 8, 8]
    assert {each.json["temperature"] for each in pair[0].requests} == {0.7}
    (figures,) = report["figures"]
    assert [each["k"] for each in figures["attempts"]] == [1, 2]
    assert figures["accuracy"]["method"] == "cluster bootstrap"


def test_a_hosted_run_that_home_answers_is_an_error_not_a_result(isthmus, sums):
    with (
        Upstream(adds(lambda total: True)) as home,
        Upstream(status(401, {"error": {"message": "bad key"}})) as away,
    ):
        write_settings(home.url, away.url)
        report = bench(isthmus, "run", str(sums), "-m", "home/small", "--handoff", "always", "--rows", "0:2")
    (figures,) = report["figures"]
    assert (figures["right"], figures["errors"]) == (0, 2)
    assert "home did" in figures["error_texts"][0]


@pytest.mark.parametrize("judge", ["home/judge", "hosted"])
def test_a_judge_decides_what_no_rule_can_and_what_it_takes_is_not_the_answers(isthmus, judge):
    def says(request):
        text = request.json["messages"][-1]["content"]
        if not text.startswith("Judge whether"):
            return answer("Lyon it is." if "France" in text else "Tokyo it is.")
        verdict = "RIGHT" if "Tokyo it is" in text else "WRONG"
        return answer(f"The answer names a town, and long words say so. VERDICT: {verdict}")

    rows = [("Japan", "Tokyo"), ("France", "Paris")]
    lines = [{"prompt": f"Capital of {a}?", "answer": b, "grade": "judge"} for a, b in rows]
    Path("towns.jsonl").write_text("\n".join(map(json.dumps, lines)))
    with Upstream(says) as home, Upstream(says) as away:
        write_settings(home.url, away.url)
        (figures,) = bench(isthmus, "run", "towns.jsonl", "-m", "home/small", "--judge", judge)["figures"]
        assert (figures["right"], figures["wrong"], figures["errors"]) == (1, 1, 0)
        assert (figures["completion_tokens"], float(figures["cost_usd"])) == (6, 0)
        asked = home.requests if judge == "home/judge" else away.requests
        assert sum("Judge whether" in each.json["messages"][-1]["content"] for each in asked) == 2


def test_what_cannot_be_measured_is_refused_before_the_first_answer(isthmus, sums):
    with Upstream(adds(lambda total: True)) as home:
        write_settings(home.url)
        for mode, why in (("ask", "nobody is there to be asked"), ("auto", "needs a provider")):
            ended = isthmus("bench", "run", str(sums), "-m", "home/small", "--handoff", mode)
            assert ended.code != 0
            assert why in ended.err
            assert "answers in all" not in ended.err
        assert home.requests == []


def test_suites_and_models_are_inspects_own_too(sums, pair):
    (log,) = inspect_ai.eval(
        "isthmus/own",
        task_args={"data": str(sums.resolve()), "rows": "0:3"},
        model="isthmus/home/small",
        display="none",
        log_dir="logs",
    )
    assert log.status == "success", log.error
    assert log.results.scores[0].metrics["accuracy"].value == pytest.approx(2 / 3)


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_was_stopped_goes_on_where_it_was(isthmus, sums, end):
    def slow(request):
        return [0.4, *adds(lambda total: True)(request)]

    with Upstream(slow) as home:
        write_settings(home.url)
        with Path("isthmus.toml").open("a") as file:
            file.write("\n[engine]\nparallel = 1\n")
        words = ["bench", "run", str(sums), "-m", "home/small"]
        with subprocess.Popen([sys.executable, "-m", "isthmus", *words]) as process:
            deadline = time.monotonic() + 60
            while len(home.requests) < 4 and time.monotonic() < deadline:
                time.sleep(0.05)
            process.send_signal(end)
        asked_before = len(home.requests)
        assert asked_before == 4
        figures = bench(isthmus, *words[1:])["figures"][0]
        assert (figures["right"], figures["missing"]) == (6, 0)
        assert len(home.requests) - asked_before <= 4
