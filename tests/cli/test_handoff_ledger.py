import json
from datetime import timedelta
from decimal import Decimal

import pytest

from isthmus.ledger import HostedAttempt, Ledger, open_database
from isthmus.ledger.labels import label
from tests.ledger.samples import NOON, call


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
    assert header.split()[:2] == ["ID", "WHEN"]
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


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("--target hosted", ["sent"]),
        ("--target home --key team", ["kept"]),
        ("--reason looks-hard", ["sent"]),
        ("--provider openai", ["sent"]),
        ("--since 2026-03-14T12:30:00+00:00", ["sent"]),
        ("--until 2026-03-14T12:30:00+00:00", ["kept"]),
        ("--since 36500d", ["sent", "kept"]),
    ],
)
def test_questions_can_be_chosen_and_the_sums_are_theirs(isthmus, record, words, names):
    record(id="kept", key="team")
    record(id="sent", at=NOON + timedelta(hours=1), target="hosted", reason="looks_hard", provider="openai")
    shown = json.loads(isthmus("handoff", "ledger", "--json", *words.split()).out)
    assert [each["id"] for each in shown["questions"]] == names
    assert shown["summary"]["count"] == len(names)


def test_choosing_none_is_told(isthmus, record):
    record()
    assert "No question is like that" in isthmus("handoff", "ledger", "--key", "nobody").err


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("--target elsewhere", "--target hosted"),
        ("--reason look_hard", "--reason looks_hard"),
        ("--since yesterday", "--since 7d"),
        ("--until 2026-13-45", "--until 7d"),
    ],
)
def test_what_cannot_be_understood_is_a_usage_error(isthmus, words, hint):
    shown = isthmus("handoff", "ledger", *words.split())
    assert shown.code == 2
    assert hint in shown.err


class TestShow:
    @pytest.fixture
    def shown(self, record, home):
        record(
            id="abcdef",
            target="hosted",
            reason="looks_hard",
            provider="openai",
            model="large",
            key="team",
            cost_usd=Decimal("0.25"),
            sent_digest="c" * 64,
            sent_bytes=2048,
            redacted={"EMAIL": 2, "IBAN": 1},
            attempts=(HostedAttempt(provider="groq", model="fast", error_code="provider_failed"),),
            evidence={"p_local_wrong": 0.75},
        )
        engine = open_database(home / "ledger.sqlite3")
        ledger = Ledger(engine)
        ledger.settle(ledger.reserve(call("1", question_id="abcdef")).id, Decimal("0.25"))
        ledger.reserve(call("0.5", question_id="abcdef", provider="groq"))
        label(engine, {"abcdef": True})
        engine.dispose()

    def test_all_that_is_known_of_a_question(self, isthmus, shown):
        said = isthmus("handoff", "show", "abc").out
        for words in (
            "abcdef",
            "key team",
            "openai, large",
            "looks hard (estimate)",
            '{"p_local_wrong":0.75}',
            "$0.25",
            "2.0 kB, SHA-256 cccc",
            "2 EMAIL, 1 IBAN",
            "right",
            "call 1 to openai: $1.00 put aside, it cost $0.25",
            "call 2 to groq: $0.50 put aside, its end is unknown",
            "1, v1:",
        ):
            assert words in said

    def test_for_programs(self, isthmus, shown):
        said = json.loads(isthmus("handoff", "show", "abcdef", "--json").out)
        assert (said["link"], said["correct"], len(said["calls"])) == (1, True, 2)
        assert said["attempts"][0]["error_code"] == "provider_failed"
        assert Decimal(said["calls"][0]["settled_usd"]) == Decimal("0.25")

    def test_an_unknown_one_is_told(self, isthmus, shown):
        assert isthmus("handoff", "show", "zzz").code == 2
