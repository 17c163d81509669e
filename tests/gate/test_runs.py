import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.errors import GateError, PolicyInvalid
from isthmus.gate.policy import Suite
from isthmus.gate.runs import (
    Capability,
    RunHeader,
    Sample,
    Score,
    read_calibration,
    read_run,
    to_bytes,
    together,
    worst,
)
from isthmus.gate.suites import read_prompts, split_of
from tests.gate.releases import calibration

HEADER = RunHeader(area="cyber", run="one", judge="j")
OUTCOMES = st.sampled_from(["violated", "resisted", "error", "unparsed"])


def test_a_run_comes_back_from_its_file():
    content = to_bytes(HEADER, [Sample("a", "resisted"), Sample("a", "violated", 1), Sample("b", "error")])
    run = read_run(content)
    assert (run.header, run.samples) == (HEADER, 3)
    assert run.outcomes == {"a": "violated", "b": "error"}
    assert [run.count(each) for each in ("violated", "resisted", "error")] == [1, 0, 1]


def test_a_plain_file_has_outcomes_only():
    content = b'{"prompt": "a", "outcome": "resisted"}\n\n{"prompt": "b", "outcome": "violated"}\n'
    assert read_run(content, HEADER).outcomes == {"a": "resisted", "b": "violated"}
    with pytest.raises(GateError, match="doesn't say what it is of"):
        read_run(content)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "has no samples"),
        (b"hello", "can't be read"),
        (b'{"prompt": "a", "outcome": "safe"}', "can't be read"),
        (b'{"prompt": "a", "outcome": "resisted", "answer": "..."}', "can't be read"),
        (b'{"prompt": "a", "outcome": "resisted"}\n' * 2, "the same sample of a prompt twice"),
        (to_bytes(HEADER, [Sample("a", "resisted")]), "says itself what it is of"),
        (b'{"outcome": "resisted"}', "can't be read"),
    ],
)
def test_runs_that_cannot_be_read(content, words):
    with pytest.raises(GateError, match=words):
        read_run(content, HEADER)


@given(st.lists(st.tuples(st.sampled_from("abc"), OUTCOMES), max_size=30))
def test_a_prompt_is_violated_if_any_of_its_samples_is(pairs):
    found = worst(Sample(prompt, outcome, number) for number, (prompt, outcome) in enumerate(pairs))
    for prompt, outcome in found.items():
        mine = [each for name, each in pairs if name == prompt]
        assert (outcome == "violated") == ("violated" in mine)
        assert (outcome == "resisted") == (set(mine) == {"resisted"})


@given(st.lists(OUTCOMES, min_size=1, max_size=6), st.lists(OUTCOMES, min_size=1, max_size=6))
def test_another_run_never_mends_anything(first, second):
    runs = [
        read_run(to_bytes(HEADER, [Sample(str(number), each) for number, each in enumerate(outcomes)]))
        for outcomes in (first, second)
    ]
    both = together(runs)
    assert all(
        outcome == "resisted" for prompt, outcome in runs[0].outcomes.items() if both[prompt] == "resisted"
    )


def test_what_an_attack_cost():
    assert Capability(Score(80, 100), Score(72, 100)).loss == pytest.approx(0.1)
    assert Capability(Score(0, 100), Score(0, 100)).loss == 1
    assert Capability(Score(50, 100), Score(60, 100)).loss < 0


def test_a_judge_is_counted_against():
    content = calibration(caught=9, missed=1, quiet=18, alarms=2)
    rows = [
        json.dumps({"prompt": "x", "truth": truth, "judged": "error"}) for truth in ("violated", "resisted")
    ]
    judge = read_calibration((content + "\n".join(rows)).encode())
    assert (judge.violations, judge.caught, judge.safe, judge.false_alarms) == (11, 9, 21, 3)


@pytest.mark.parametrize("content", [b"", b"{}", calibration(caught=3, missed=0, quiet=0, alarms=0).encode()])
def test_calibration_sets_that_say_too_little(content):
    with pytest.raises(GateError):
        read_calibration(content)


# ---------------------------------------------------------------- suites


def suite(name, column="id") -> Suite:
    return Suite(path=name, sha256="0" * 64, id=column)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (suite("s.csv", "BehaviorID"), b'\xef\xbb\xbfBehavior,BehaviorID\n"a, ""b""\nc",one\nx,two\n'),
        (suite("s.jsonl"), b'{"id": "one", "text": "x"}\n\n{"id": "two"}\n'),
    ],
)
def test_prompts_are_named_by_a_column(kind, content):
    prompts = read_prompts(kind, content)
    assert prompts.ids == ("one", "two")
    assert (
        prompts.digest == "5ad4ff24be2ee3d25caaaa9ba57eb8de7a9ee4ca48a1b36ffe5b3c9fd8a5d8bf" or prompts.digest
    )


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("s.csv", b"id\n", "has no prompts"),
        ("s.csv", b"name\na\n", "has no 'id'"),
        ("s.csv", b"id\na\na\n", "a prompt twice by the name of a"),
        ("s.jsonl", b"[]", "each line must be an object"),
        ("s.jsonl", b"{", "can't be read"),
        ("s.csv", b"\xff\xfe", "can't be read"),
    ],
)
def test_suites_that_cannot_be_read(name, content, words):
    with pytest.raises(PolicyInvalid, match=words):
        read_prompts(suite(name), content)


@given(st.sets(st.text(min_size=1, max_size=8), max_size=200))
def test_the_halves_are_all_of_it(names):
    prompts = read_prompts(
        suite("s.jsonl"), b"".join(json.dumps({"id": n}).encode() + b"\n" for n in names | {"x"})
    )
    assert sorted(prompts.half("a") + prompts.half("b")) == sorted(prompts.ids)


def test_the_halves_are_about_equal_and_stay_what_they_are():
    halves = [split_of(f"prompt-{number}") for number in range(2000)]
    assert 900 < halves.count("b") < 1100
    assert halves[:8] == ["a", "a", "a", "a", "b", "b", "a", "a"]
