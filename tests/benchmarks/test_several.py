from xml.etree import ElementTree as ET

from benchmarks.charts import several_chart, spans
from benchmarks.client import NoAnswer
from benchmarks.several import BUDGET_MB, Outcome, Sample, counted, judged


def answer(model, total_s):
    return Outcome(s=0.0, model=model, kind="answer", first_s=total_s / 2, total_s=total_s)


def sample(s, loaded, pids, pss):
    return Sample(s, loaded, pids, pss + 50.0, pss)


def test_only_a_429_that_says_when_to_come_back_is_honest():
    assert judged(NoAnswer("busy", 429, 2.0), 1.0, "tiny").kind == "busy"
    assert judged(NoAnswer("busy", 429, None), 1.0, "tiny").kind == "failure"
    assert judged(NoAnswer("no", 503, 2.0), 1.0, "tiny").kind == "failure"
    assert judged(NoAnswer("the stream ended"), 1.0, "tiny").failure == "the stream ended"


def test_answers_waits_loads_and_memory_are_counted():
    outcomes = [
        answer("a", 1.0),
        answer("a", 3.0),
        answer("b", 2.0),
        judged(NoAnswer("busy", 429, 1.0), 1, "b"),
    ]
    samples = [
        sample(0.0, ("a",), (1,), 400.0),
        sample(0.5, ("b",), (2,), 900.0),
        sample(1.0, ("a",), (3,), 400.0),
    ]
    found = counted(outcomes, samples)
    assert found["counts"] == {"answers": 3, "busy": 1, "failures": 0, "loads": 3}
    assert found["peak"] == {"pss_mb": 900.0, "rss_mb": 950.0}
    assert found["by_model"]["a"]["longest_s"] == 3.0
    assert all(found["met"].values())


def test_a_failure_and_memory_over_the_budget_are_not_met():
    outcomes = [judged(NoAnswer("500: no", 500), 1.0, "a")]
    found = counted(outcomes, [sample(0.0, ("a",), (1,), BUDGET_MB + 1.0)])
    assert found["failures"] == ["500: no"]
    assert not any(found["met"].values())


def test_spans_are_from_load_to_unload():
    samples = [
        {"s": s, "loaded": loaded} for s, loaded in ((0, ["a"]), (1, ["a", "b"]), (2, ["b"]), (3, ["a"]))
    ]
    assert spans(samples, ["a", "b"]) == [
        {"model": "a", "s": 0, "until": 2},
        {"model": "a", "s": 3, "until": 3},
        {"model": "b", "s": 1, "until": 3},
    ]


def test_the_timeline_is_drawn():
    samples = [
        {
            "s": float(s),
            "loaded": ["a"] if s % 4 < 2 else ["b"],
            "pids": [1],
            "pss_mb": 400.0,
            "rss_mb": 450.0,
        }
        for s in range(8)
    ]
    result = {"models": ["a", "b"], "clients": 8, "budget_mb": BUDGET_MB, **counted([], [])}
    ET.fromstring(several_chart(result, samples))
