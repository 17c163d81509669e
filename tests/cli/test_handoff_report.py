import json
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.ledger.samples import NOON

SETTINGS = """
[handoff]
provider = "far"
[providers.far]
base_url = "http://127.0.0.1:9/v1"
model = "large"
input_usd_per_mtok = 2
output_usd_per_mtok = 8
"""


@pytest.fixture
def priced(tmp_path):
    (tmp_path / "work" / "isthmus.toml").write_text(SETTINGS)


@pytest.fixture
def asked(record):
    for hours in (0, 1, 30):
        record(at=NOON + timedelta(hours=hours), prompt_tokens=1000, completion_tokens=500)
    record(target="hosted", reason="looks_hard", provider="far", model="large", cost_usd=Decimal("0.01"))


def test_what_was_sent_spent_and_saved(isthmus, asked, priced):
    shown = isthmus("handoff", "report")
    first = shown.out.splitlines()[0]
    assert first == (
        "4 questions: 1 sent (25%), 3 kept at home. Spent $0.01; "
        "sending everything would have cost $0.028, so $0.018 was saved."
    )
    assert shown.err == ""
    rows = {line.split("  ")[0]: line for line in shown.out.splitlines()}
    assert rows["looks hard"].split()[2:6] == ["1", "0", "1", "0"]
    assert rows["2026-03-14"].split()[1:] == ["█" * 27 + "▒" * 13, "2", "home,", "1", "sent,", "$0.01"]
    assert rows["2026-03-15"].split()[1:] == ["█" * 13, "1", "home,", "0", "sent"]


def test_without_a_price_nothing_is_said_to_be_saved(isthmus, asked):
    shown = isthmus("handoff", "report")
    assert "saved" not in shown.out.splitlines()[0]
    assert "no provider is configured" in shown.err


def test_programs_get_all_sums(isthmus, asked, priced):
    said = json.loads(isthmus("handoff", "report", "--json").out)
    assert said["share_handed_over"] == 0.25
    assert Decimal(said["saved_usd"]) == Decimal("0.018")
    assert Decimal(said["everything_usd"]) == Decimal("0.028")
    assert set(said["days"]) == {"2026-03-14", "2026-03-15"}


def test_shadow_mode_is_told(isthmus, record):
    evidence = {"shadow": {"target": "hosted", "reason": "looks_hard", "cost_usd": "0.42"}}
    record(mode="shadow", evidence=evidence)
    assert "on your last question auto would have sent 1, for $0.42." in isthmus("handoff", "report").out


def test_questions_can_be_chosen(isthmus, asked):
    for words, count in (("--since 2026-03-15", 1), ("--last 2", 2), ("--provider far", 1)):
        assert isthmus("handoff", "report", *words.split()).out.startswith(f"{count} question")


def test_the_chart_has_the_latest_days(isthmus, record):
    for day in range(33):
        record(at=NOON + timedelta(days=day))
    lines = isthmus("handoff", "report").out.splitlines()
    assert "the latest 31 of 33 days" in lines[-32]
    assert lines[-31].startswith("2026-03-16")


def test_what_benchmarks_asked_is_told_apart(isthmus, record, asked, priced):
    record(source="bench", target="hosted", provider="far", model="large", cost_usd=Decimal("0.5"))
    plain = isthmus("handoff", "report")
    assert plain.out.startswith("4 questions: 1 sent (25%), 3 kept at home. Spent $0.01;")
    assert "Not counted: 1 question of isthmus bench, for $0.50" in plain.err
    assert isthmus("handoff", "report", "--last", "2").out.startswith("2 questions: 1 sent (50%)")
    benched = isthmus("handoff", "report", "--bench")
    assert benched.out.startswith("1 question: 1 sent (100%), 0 kept at home. Spent $0.50")
    assert "Not counted" not in benched.err
    said = json.loads(isthmus("handoff", "report", "--json").out)
    assert said["all"]["questions"] == 4
    assert said["not_counted"]["bench"]["questions"] == 1
    assert Decimal(said["not_counted"]["bench"]["spent_usd"]) == Decimal("0.5")


def test_nothing_asked_is_told(isthmus):
    assert isthmus("handoff", "report").out == "Nothing was asked in that time.\n"


def test_keys_have_a_table_where_there_are_some(isthmus, record):
    record()
    assert "KEY" not in isthmus("handoff", "report").out
    record(key="team")
    shown = isthmus("handoff", "report").out
    assert "KEY" in shown
    assert "(none)" in shown


def test_a_page_needs_no_network(isthmus, asked, priced, tmp_path):
    file = tmp_path / "report.html"
    assert isthmus("handoff", "report", "--html", str(file)).code == 0
    page = file.read_text(encoding="utf-8")
    assert "looks hard" in page
    assert "<script src=" not in page.replace("'", '"')
    assert 'src="http' not in page


def test_a_page_that_cannot_be_written_is_told(isthmus, asked, tmp_path):
    assert isthmus("handoff", "report", "--html", str(tmp_path)).code == 11
