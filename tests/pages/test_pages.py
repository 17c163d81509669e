"""What all pages share: whole documents, text that stays text, and charts in the reader's ink."""

import sys

import pytest

from isthmus.errors import UsageError
from isthmus.pages import INK, chart, document, fields, table
from isthmus.pages.document import style_sheet

SPEC = {
    "data": {"values": [{"x": 1}]},
    "mark": {"type": "point", "color": INK},
    "encoding": {"x": {"field": "x", "type": "quantitative"}},
}


def test_a_document_has_its_style_with_it_and_its_title_is_text():
    page = document("a <b> & c", ["<h1>x</h1>"], ".own { color: red; }")
    assert page.startswith("<!doctype html>")
    assert "<title>a &lt;b&gt; &amp; c</title>" in page
    assert style_sheet("base") in page
    assert ".own { color: red; }" in page
    assert "<link" not in page


def test_light_and_dark_come_from_one_palette():
    assert style_sheet("base").count("--ink: light-dark(") == 1
    assert "--ink:" not in style_sheet("report")


def test_tables_and_fields():
    assert table(("a", "b"), [("best", ("1", "2"))]).endswith(
        "<tbody><tr class=best><td>1</td><td>2</td></tr></tbody></table></div>"
    )
    assert (
        fields((("<a>", "<code>1</code>"), ("b", ""))) == "<dl><dt>&lt;a&gt;</dt><dd><code>1</code></dd></dl>"
    )


def test_a_chart_is_drawn_in_the_pages_ink():
    drawn = chart(SPEC)
    assert drawn.startswith("<svg")
    assert INK not in drawn
    assert '"currentColor"' in drawn


def test_what_draws_may_be_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(UsageError, match="charts need vl-convert"):
        chart(SPEC)
