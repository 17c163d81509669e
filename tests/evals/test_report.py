"""The report's forms: the page stands alone, says what must be said, and trusts no text of a model's."""

import re
from html.parser import HTMLParser

import msgspec
import pytest

from isthmus.evals.report import as_markdown, as_page
from isthmus.evals.summary import Report, summarise
from tests.evals.made import BOTH, HOME, HOSTED, plan, results


@pytest.fixture(scope="module")
def report():
    made = plan(HOME, BOTH, HOSTED)
    found = [
        *results(HOME, "wrwwe"),
        *results(BOTH, "rrwrr", handed={0, 3}),
        *results(HOSTED, "rrrrr", handed=range(5)),
    ]
    found[0] = msgspec.structs.replace(
        found[0], answer="<script>alert(1)</script>", question="A | B & <i>C</i>"
    )
    sizes = {cell.slug: 5 for cell in made.cells}
    return summarise("run", made, sizes, found, overhead=0.01, environment={"machine": "a <fast> one"})


class Balanced(HTMLParser):
    """Every element that is opened is closed, in order, but for those that needn't be."""

    free = frozenset({"meta", "br", "html", "body", "path"})

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in self.free:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.free:
            assert self.open.pop() == tag


def test_the_page_needs_nothing_else_and_runs_nothing(report):
    page = as_page(report)
    assert "<script" not in page
    assert not re.search(r"(src|href)\s*=\s*[\"']?https?:", page)
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []


def test_what_a_model_wrote_is_text(report):
    page = as_page(report)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "a &lt;fast&gt; one" in page


def test_the_page_says_every_figure_with_its_interval_and_what_failed(report):
    page = as_page(report)
    assert "25.0%" in page
    assert "0.6% to 80.6%" in page  # Clopper-Pearson of 1 of 4
    assert "1 failed (the endpoint is gone)" in page
    assert "It helped: 0" in page
    assert page.count("<svg") == 1
    assert report.plan.sources[0].sha256 in page


def test_the_markdown_holds_together_as_tables(report):
    text = as_markdown(report)
    widths = {line.count("|") - line.count("\\|") for line in text.splitlines() if line.startswith("| tiny")}
    assert widths == {9}
    assert "against tiny (all handed over)" in text


def test_the_report_reads_back_from_its_json(report):
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report
