import msgspec
import pytest
from benchmarks.processes import Memory
from benchmarks.results import interval
from benchmarks.summaries import batching_of, checks, goals, memory_cell, paired, speed_cell, summarise
from benchmarks.workloads import Cell

from tests.benchmarks.made import ANSWER, row

DECODE = Cell("decode", 1)


def rows_of(**rates):
    return [
        row(server.replace("_", "-"), rate, number=number)
        for server, each in rates.items()
        for number, rate in enumerate(each, 1)
    ]


def test_ratios_pair_the_rounds():
    # The machine slowed down by half in the second round: each round's ratio is the same all the same.
    cell = speed_cell(rows_of(isthmus=[20, 10, 30], xllamacpp=[10, 5, 15]), "tiny", DECODE)
    assert cell["ratio"] == {"median": 2.0, "interval_95": [2.0, 2.0], "n": 3}


def test_a_round_that_one_server_lacks_is_left_out():
    assert paired({1: 2.0, 2: 9.0, 3: 6.0}, {1: 1.0, 3: 2.0, 4: 1.0}) == [2.0, 3.0]


def test_the_best_peer_is_the_one_with_the_highest_median():
    cell = speed_cell(
        rows_of(isthmus=[10, 10, 10], xllamacpp=[8, 8, 8], llama_server=[1, 9, 9]), "tiny", DECODE
    )
    assert cell["best_peer"] == "llama-server"
    assert cell["ratio"]["median"] == pytest.approx(10 / 9, abs=1e-4)
    assert cell["ratios"]["xllamacpp"]["median"] == 1.25


def test_a_failed_round_has_no_rate_and_is_counted():
    rows = [
        *rows_of(isthmus=[10, 10], xllamacpp=[10]),
        row("xllamacpp", None, number=2, failures=("500", "500")),
    ]
    cell = speed_cell(rows, "tiny", DECODE)
    assert (cell["ratio"]["n"], cell["failures"]) == (1, 2)


def test_without_isthmus_there_is_nothing_to_say():
    assert speed_cell(rows_of(xllamacpp=[10]), "tiny", DECODE) is None


def test_one_round_has_no_interval():
    assert interval([1.0]) is None


def test_the_interval_holds_the_median_and_widens_with_the_spread():
    low, high = interval([0.9, 1.0, 1.1, 1.0, 1.0])
    assert low <= 1.0 <= high
    wide_low, wide_high = interval([0.5, 1.0, 1.5, 0.7, 1.3])
    assert wide_high - wide_low > high - low


def test_batching_compares_eight_clients_with_one():
    rows = [
        row(rate=10.0, number=1),
        row(rate=18.0, clients=8, number=1),
        row(rate=99.0, clients=8, number=2),
    ]
    assert batching_of(rows, "tiny")["median"] == 1.8


def test_memory_is_compared_with_the_peer_that_takes_least():
    rows = [
        row(server, None, workload="memory", worker=Memory(500.0, pss), context_length=context)
        for server, pss, context in (
            ("isthmus", 105.0, 8192),
            ("xllamacpp", 100.0, None),
            ("other", 300.0, None),
        )
    ]
    cell = memory_cell(rows, "tiny")
    assert (cell["ratio"], cell["least_peer"], cell["context_length"]) == (1.05, "xllamacpp", 8192)
    assert cell["isthmus_itself_mb"] == 50.0


def test_memory_goes_by_rss_where_there_is_no_pss():
    rows = [
        row(name, None, workload="memory", worker=Memory(rss, None))
        for name, rss in (("isthmus", 90.0), ("p", 100.0))
    ]
    rows = [msgspec.structs.replace(each, front=Memory(40.0, None)) for each in rows]
    assert memory_cell(rows, "tiny")["ratio"] == 0.9


def test_goals_take_the_better_of_second_turns_and_edits():
    def cell(workload, ratio):
        return {"model": "tiny", "workload": workload, "clients": 1, "ratio": {"median": ratio}}

    found = goals([cell("second turn", 0.96), cell("edit", 1.5)], [], [{"model": "tiny", "median": 1.69}])
    equal, ahead, batching, memory = found.values()
    assert [each["met"] for each in equal.values()] == [False, True]
    assert ahead == {"tiny": {"figure": 1.5, "met": True}}
    assert not batching["tiny"]["met"]
    assert memory == {}


def test_what_makes_figures_doubtful_is_counted():
    odd = msgspec.structs.replace(ANSWER, chunks=63, finish="stop")
    found = checks([row(requests=(ANSWER, odd), idle_cpu_s=0.5), row(requests=(), failures=("500",))])
    assert found == {
        "requests": 3,
        "failed": 1,
        "answers_whose_pieces_are_not_their_tokens": 1,
        "answers_that_ended_early": 1,
        "cpu_share_of_idle_servers": 0.125,
    }


def test_a_run_that_has_just_begun_can_be_summed_up():
    assert summarise([row()])["cells"][0]["ratio"] is None
