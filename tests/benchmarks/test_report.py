import json
from xml.etree import ElementTree as ET

import pytest
from benchmarks.charts import DARK, in_the_dark
from benchmarks.report import report
from benchmarks.rows import Rows

from tests.benchmarks.made import row, run


@pytest.fixture
def rows(tmp_path):
    rows = Rows(tmp_path / "speed.jsonl")
    rows.append(run())
    for server, rate in (("isthmus", 10.0), ("xllamacpp", 20.0)):
        rows.append(
            row(server, None, workload="memory", context_length=8192 if server == "isthmus" else None)
        )
        for number in (1, 2):
            rows.append(row(server, rate, number=number))
    return rows


def test_the_report_says_what_is_not_met(rows, tmp_path, capsys):
    report(rows, tmp_path)
    assert "at least 0.97 of the best peer: NOT MET (tiny, decode, 1: 0.5)" in capsys.readouterr().out
    text = (tmp_path / "speed.md").read_text()
    assert "| tiny | 1 | 10.0 | 20.0 | 0.50 / 0.50 | 0.50 [0.50, 0.50] (xllamacpp) | **no** |" in text
    assert "| tiny | 8192 | 100.0 | 100.0 | 50.0 | 1.000 (xllamacpp) |" in text
    assert json.loads((tmp_path / "speed.json").read_text())["cells"][0]["best_peer"] == "xllamacpp"


def test_the_chart_is_readable_on_both_papers(rows, tmp_path):
    report(rows, tmp_path)
    drawn = (tmp_path / "speed.svg").read_text()
    ET.fromstring(drawn)
    assert "prefers-color-scheme: dark" in drawn
    for light in DARK:
        assert f'"{light}"' in drawn
        assert f'"{light}"' not in in_the_dark(drawn).split("</style>")[1]


def test_nothing_measured_is_no_report(tmp_path):
    with pytest.raises(SystemExit, match="has no rows"):
        report(Rows(tmp_path / "speed.jsonl"), tmp_path)
