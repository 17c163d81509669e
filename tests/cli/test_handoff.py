import json
from datetime import timedelta
from decimal import Decimal

import pytest

from isthmus.ledger import Ledger, open_database
from tests.ledger.samples import NOON, question


@pytest.fixture
def record(home):
    """Writes a question into the ledger that the commands read."""

    def write(**changes):
        engine = open_database(home / "ledger.sqlite3")
        Ledger(engine).record([question(**changes)])
        engine.dispose()

    return write


def test_each_question_says_who_answered_and_why(isthmus, record):
    record(prompt_tokens=20, completion_tokens=5, total_s=0.42)
    record(
        at=NOON + timedelta(hours=1),
        target="hosted",
        reason="looks_hard",
        provider="upstream",
        model="large",
        cost_usd=Decimal("0.0031"),
    )
    record(
        at=NOON + timedelta(hours=2),
        target="refuse",
        reason="budget_exceeded",
        outcome="failed",
        error_code="budget_exceeded",
    )
    shown = isthmus("handoff", "ledger")
    header, refused, hosted, home, _, summary = shown.out.splitlines()
    assert shown.code == 0
    assert header.split("  ")[0] == "WHEN"
    for cell in ("home", "looks easy", "qwen2.5-coder:0.5b", "25", "$0.00", "0.42 s", "complete"):
        assert cell in home
    for cell in ("upstream", "looks hard", "large", "$0.0031"):
        assert cell in hosted
    for cell in ("nobody", "budget exceeded", "failed: budget_exceeded"):
        assert cell in refused
    assert summary == "In all: 1 kept at home, 1 handed over, 1 refused, $0.0031 spent."


def test_the_limit_cuts_the_table_but_not_the_sums(isthmus, record):
    for _ in range(3):
        record()
    shown = isthmus("handoff", "ledger", "--limit", "2")
    assert len(shown.out.splitlines()) == 1 + 2 + 2
    assert "3 kept at home" in shown.out


def test_json_holds_the_whole_records(isthmus, record):
    record(cost_usd=Decimal("0.0031"))
    shown = json.loads(isthmus("handoff", "ledger", "--json").out)
    (found,) = shown["questions"]
    assert found["prompt_digest"] == "a" * 64
    assert Decimal(found["cost_usd"]) == Decimal("0.0031")
    assert shown["summary"]["kept"] == 1


def test_an_empty_ledger_says_how_to_begin(isthmus):
    shown = isthmus("handoff", "ledger")
    assert (shown.code, shown.out) == (0, "")
    assert "isthmus ask" in shown.err


def test_a_limit_of_none_is_a_usage_error(isthmus):
    assert isthmus("handoff", "ledger", "--limit", "0").code == 2


def test_a_damaged_ledger_is_told_without_a_traceback(isthmus, home):
    home.mkdir()
    (home / "ledger.sqlite3").write_bytes(b"not a database, but long enough to be looked at" * 100)
    shown = isthmus("handoff", "ledger")
    assert shown.code == 12
    assert "Traceback" not in shown.err
    assert "hint: " in shown.err
