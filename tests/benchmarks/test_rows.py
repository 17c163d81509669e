import pytest
from benchmarks.rows import Rows

from tests.benchmarks.made import row, run


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "speed.jsonl"


def test_what_was_appended_is_there_for_the_next_run(path):
    rows = Rows(path)
    rows.append(run())
    rows.append(row(number=1))
    rows.append(row(number=2, rate=None, failures=("500",)))
    again = Rows(path)
    assert (again.runs, again.rows) == (rows.runs, rows.rows)
    assert again.done == {("tiny", "decode", 1, "isthmus", 1), ("tiny", "decode", 1, "isthmus", 2)}


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_line_that_a_kill_cut_short_is_dropped_and_overwritten(path, cut):
    rows = Rows(path)
    for each in (run(), row(number=1), row(number=2)):
        rows.append(each)
    path.write_bytes(path.read_bytes()[:-cut])
    again = Rows(path)
    assert [each.round for each in again.rows] == [1]
    again.append(row(number=2))
    assert [each.round for each in Rows(path).rows] == [1, 2]


def test_a_whole_line_that_makes_no_sense_is_an_error(path):
    Rows(path).append(run())
    with path.open("a") as file:
        file.write("{}\n")
    with pytest.raises(ValueError, match=r"kind|type"):
        Rows(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"environment": {"machine": "B", "cores": 2, "python": "3.11.7"}},
        {"servers": {"isthmus": {"version": "2", "set": "nothing"}}},
        {"sizes": {"prefill": 64}},
        {"seed": 2},
    ],
)
def test_rows_of_another_machine_version_or_size_are_not_mixed(changes):
    assert run(**changes).differs(run())


def test_a_run_with_fewer_or_more_peers_can_go_on():
    fewer = run(servers={"isthmus": {"version": "1", "set": "nothing"}})
    assert fewer.differs(run()) is None
    assert run().differs(fewer) is None
