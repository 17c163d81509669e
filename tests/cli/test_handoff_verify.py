import json
import sqlite3

import pytest


@pytest.fixture
def tamper(home):
    def change(statement):
        connection = sqlite3.connect(home / "ledger.sqlite3")
        connection.execute(statement)
        connection.commit()
        connection.close()

    return change


def test_a_whole_ledger_says_its_head(isthmus, record):
    for name in ("a", "b"):
        record(id=name)
    shown = isthmus("handoff", "verify")
    assert shown.code == 0
    assert shown.out.startswith("v1:")
    assert "All 2 links hold" in shown.err
    record(id="c")
    assert isthmus("handoff", "verify", "--head", shown.out.strip()).code == 0


def test_an_empty_one_holds(isthmus):
    assert isthmus("handoff", "verify").code == 0


def test_a_changed_row_is_named_and_fails(isthmus, record, tamper):
    for name in ("a", "b"):
        record(id=name)
    tamper("UPDATE questions SET cost_nanousd = 1 WHERE id = 'b'")
    shown = isthmus("handoff", "verify")
    assert (shown.code, shown.out) == (13, "")
    assert "error: the ledger's chain is broken: link 2 (question b) was changed" in shown.err
    assert "hint: isthmus handoff show b" in shown.err


def test_programs_learn_where_it_broke(isthmus, record, tamper):
    for name in ("a", "b"):
        record(id=name)
    tamper("DELETE FROM questions WHERE id = 'a'")
    shown = isthmus("handoff", "verify", "--json")
    said = json.loads(shown.out)
    assert shown.code == 13
    assert (said["broken"]["problem"], said["broken"]["link"]) == ("missing", 1)


def test_a_head_that_is_not_there_fails(isthmus, record):
    record()
    shown = isthmus("handoff", "verify", "--head", "v1:" + "a" * 64)
    assert shown.code == 13
    assert "cut, rewritten or replaced" in shown.err
