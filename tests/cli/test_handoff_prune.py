import json
from datetime import timedelta

from isthmus.ledger.clock import utc_now


def test_old_rows_go_and_the_chain_holds(isthmus, record):
    record()
    record(at=utc_now() - timedelta(days=1))
    tried = isthmus("handoff", "prune", "--days", "60", "--dry-run")
    assert tried.out == "Would let go of 1 question, 0 calls and 0 sealed copies.\n"
    assert json.loads(isthmus("handoff", "prune", "--days", "60", "--json").out)["questions"] == 1
    assert "from 2 on" in isthmus("handoff", "verify").err


def test_without_a_setting_rows_stay(isthmus, record):
    record()
    shown = isthmus("handoff", "prune")
    assert "0 questions" in shown.out
    assert "ledger.retention_days" in shown.err


def test_the_setting_says_what_goes(isthmus, record, monkeypatch):
    monkeypatch.setenv("ISTHMUS_LEDGER_RETENTION_DAYS", "60")
    record()
    assert "1 question," in isthmus("handoff", "prune").out
