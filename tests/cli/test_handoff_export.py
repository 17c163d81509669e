import csv
import json
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.ledger.samples import NOON


@pytest.fixture
def recorded(record):
    record(id="a", cost_usd=Decimal("0.000000001"), evidence={"detail": "naïve"}, redacted={"EMAIL": 1})
    record(id="b", at=NOON + timedelta(days=1), target="hosted", provider="openai", key="=1+1")


def test_json_lines_hold_every_field_and_the_chain(isthmus, recorded):
    lines = [json.loads(line) for line in isthmus("handoff", "export").out.splitlines()]
    assert [line["id"] for line in lines] == ["a", "b"]
    assert [line["link"] for line in lines] == [1, 2]
    assert lines[1]["previous_hash"] == lines[0]["hash"]
    assert lines[0]["cost_usd"] == "0.000000001"
    assert lines[0]["evidence"] == {"detail": "naïve"}


def test_csv_holds_the_same_and_no_formula(isthmus, recorded):
    rows = list(csv.DictReader(isthmus("handoff", "export", "--format", "csv").out.splitlines()))
    lines = [json.loads(line) for line in isthmus("handoff", "export").out.splitlines()]
    assert set(rows[0]) == set(lines[0])
    assert [row["hash"] for row in rows] == [line["hash"] for line in lines]
    assert json.loads(rows[0]["redacted"]) == {"EMAIL": 1}
    assert (rows[0]["cost_usd"], rows[0]["at"]) == ("0.000000001", "2026-03-14T12:00:00+00:00")
    assert rows[1]["key"] == "'=1+1"


def test_questions_can_be_chosen(isthmus, recorded):
    shown = isthmus("handoff", "export", "--provider", "openai")
    assert [json.loads(line)["id"] for line in shown.out.splitlines()] == ["b"]


@pytest.mark.parametrize("format_", ["jsonl", "csv"])
def test_into_a_file(isthmus, recorded, tmp_path, format_):
    shown = isthmus("handoff", "export", "--format", format_, "--output", str(tmp_path / "out"))
    assert (shown.code, shown.out) == (0, "")
    assert "Wrote 2 questions" in shown.err
    assert (tmp_path / "out").read_text(encoding="utf-8") == isthmus(
        "handoff", "export", "--format", format_
    ).out


def test_what_cannot_be_written_or_understood_is_told(isthmus, recorded, tmp_path):
    assert isthmus("handoff", "export", "--output", str(tmp_path)).code == 11
    shown = isthmus("handoff", "export", "--format", "xml")
    assert shown.code == 2
    assert "--format jsonl" in shown.err
