from collections import Counter

import pytest
from benchmarks.contestants import Contestant
from benchmarks.estimate import Clock, minutes, total_s, turn_s
from benchmarks.rows import Rows
from benchmarks.speed import ROUNDS, schedule
from benchmarks.workloads import CELLS, MEMORY, QUICK, Cell, Sizes, exchange

from benchmarks import speed
from tests.benchmarks.made import row

SERVERS = ["isthmus", "xllamacpp", "llama-cpp-python"]
MODELS = list(ROUNDS)


def test_each_server_has_one_turn_a_round_and_the_order_is_the_seeds():
    turns = list(schedule(MODELS, SERVERS, 1))
    assert len({turn.key for turn in turns}) == len(turns)
    assert turns == list(schedule(MODELS, SERVERS, 1))
    assert turns != list(schedule(MODELS, SERVERS, 2))
    counts = Counter((turn.model, turn.cell, turn.round) for turn in turns)
    assert set(counts.values()) == {len(SERVERS)}


def test_isthmus_is_the_first_to_say_its_context_length():
    turns = [turn for turn in schedule(MODELS, ["xllamacpp", "isthmus"], 1) if turn.cell == MEMORY]
    assert [turn.server for turn in turns] == ["isthmus", "xllamacpp"] * len(MODELS)


def test_the_whole_run_fits_in_three_quarters_of_an_hour():
    assert total_s(list(schedule(MODELS, SERVERS, 1)), Sizes()) < 46 * 60


def test_the_clock_learns_how_fast_the_machine_is():
    turns = list(schedule(MODELS[:1], SERVERS, 1))
    clock = Clock(turns, Sizes())
    half = turns[: len(turns) // 2]
    for turn in half:
        left = clock.passed(turn, 2 * turn_s(turn, Sizes()))
    planned = total_s(turns, Sizes()) - sum(turn_s(turn, Sizes()) for turn in half)
    assert 1.7 * planned < left < 2 * planned


def test_minutes_are_said_as_a_person_would():
    assert (minutes(59), minutes(150)) == ("59 s", "2 min")


@pytest.mark.parametrize("cell", CELLS)
def test_all_servers_are_asked_the_same_and_nothing_twice(cell):
    def said(number, client):
        each = exchange(cell, Sizes(), "tiny", number, client)
        return str(each.first or each.messages)

    assert said(1, 0) == said(1, 0)
    assert len({said(number, client) for number in range(4) for client in range(8)}) > 30


def test_a_resumed_run_measures_only_what_is_missing(tmp_path, monkeypatch):
    taken = []

    def take(turn, running, others, rows, sizes, clock):
        taken.append(turn)
        rows.append(row(turn.server, model=turn.model, workload=turn.cell.workload, number=turn.round))
        if len(taken) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(speed, "_take", take)
    monkeypatch.setattr(speed, "_warm_up", no_warm_up)
    monkeypatch.setattr(Contestant, "started", NothingStarted)
    monkeypatch.setattr(Contestant, "described", lambda self: {"version": "1", "set": "nothing"})
    contestants = [Contestant(name) for name in ("isthmus", "xllamacpp")]

    def measure(resume):
        cells = (Cell("decode", 1),)
        return speed.measure(
            [Model], contestants, into=tmp_path, sizes=QUICK, rounds=3, resume=resume, cells=cells
        )

    with pytest.raises(KeyboardInterrupt):
        measure(resume=False)
    rows = measure(resume=True)
    assert len(taken) == len({turn.key for turn in taken}) == 6
    assert rows.done == {turn.key for turn in taken}
    measure(resume=True)
    assert len(taken) == 6
    assert len(Rows(tmp_path / "speed.jsonl").runs) == 2
    measure(resume=False)
    assert len(taken) == 12


class Model:
    name = "tiny"


class NothingStarted:
    name = "nothing"

    def __init__(self, *_):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


async def no_warm_up(running):
    pass
