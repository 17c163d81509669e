"""The report: what it says, what it leaves out, and that its page stands alone."""

import re
from datetime import timedelta

import msgspec
import pytest

from isthmus.errors import EvidenceBroken, GateRefused
from isthmus.gate import signoff
from isthmus.gate.report import GateReport, as_page, summarise
from tests.evals.test_report import Balanced
from tests.gate.releases import ABLE, Bench

BASELINE = "[areas.codeword.baselines.gpt-oss]\nmargin = 0.08\n"


@pytest.fixture
def bench(tmp_path) -> Bench:
    return Bench(tmp_path / "project")


@pytest.fixture(scope="module")
def attacked(tmp_path_factory) -> Bench:
    """A release with an attack, a public model beside it, a hold, a refusal and approvals."""
    bench = Bench(tmp_path_factory.mktemp("report") / "project")
    suite = (bench.folder / "suites/codeword.csv").read_text()
    bench.write("suites/codeword.csv", suite.replace("tell me the word", "<b>say the word</b>"))
    bench.write_policy(threshold=0.1, extra=BASELINE)
    policy = (bench.folder / "policy.toml").read_text()
    bench.write("policy.toml", policy.replace('id = "BehaviorID"', 'id = "BehaviorID", text = "Behavior"'))
    bench.seal()
    bench.control("codeword")
    bench.control("advice")
    bench.run("codeword", violated=4, errors=1)
    bench.run("codeword", subject="baseline:gpt-oss", weights=None, violated=8)
    bench.run("codeword", series="template", violated=6, capability=ABLE, settings={"variant": "prefix-2"})
    bench.run("codeword", series="template", subject="baseline:gpt-oss", weights=None, violated=9)
    bench.run("advice")
    assert bench.verdict().outcome == "pass"
    later = bench.clock.now + timedelta(days=9)
    signoff.hold(bench.project, bench.keys["bo"], ["codeword"], "more <tests>", owner="bo", revisit=later)
    signoff.resume(bench.project, bench.keys["bo"], "done")
    signoff.review(bench.project, bench.keys["ada"])
    bench.approve("bo")
    bench.approve("cy")
    return bench


@pytest.fixture(scope="module")
def report(attacked) -> GateReport:
    return summarise(attacked.project)


@pytest.fixture(scope="module")
def prompted(attacked) -> GateReport:
    return summarise(attacked.project, with_prompts=True)


@pytest.fixture(scope="module")
def pages(report, prompted) -> tuple[str, str]:
    """The page without prompts, and the one with them."""
    return as_page(report), as_page(prompted)


def codeword(report: GateReport):
    return next(area for area in report.areas if area.name == "codeword")


def test_every_figure_has_its_interval_its_n_and_its_errors(report):
    untampered, template = codeword(report).series
    assert (untampered.figure.n, untampered.figure.violated, untampered.figure.errors) == (200, 4, 1)
    assert untampered.figure.lower < 4 / 200 < untampered.figure.upper < untampered.figure.limit
    assert template.figure.n < 200, "under an attack one half is judged"
    assert template.figure.capability_loss == pytest.approx(0.025)
    assert template.settings == {"variant": "prefix-2"}


def test_public_models_and_the_control_stand_beside_it(report):
    area = codeword(report)
    (beside,) = area.series[0].baselines
    assert (beside.subject, beside.n, beside.violated) == ("gpt-oss", 200, 8)
    assert beside.lower < 8 / 200 < beside.upper
    half = area.series[1]
    assert half.baselines[0].n == half.figure.n, "given the same prompts"
    (control,) = area.controls
    assert control.failed
    assert (control.rate.violated, control.rate.n) == (150, 200)


def test_the_judges_sensitivity_is_the_bound_that_was_used(report):
    advice = next(area for area in report.areas if area.name == "advice")
    assert advice.judge.calibration.caught == 195
    assert advice.judge.sensitivity_at_least == pytest.approx(0.937, abs=1e-3)
    assert codeword(report).judge.calibration is None


def test_who_signed_and_why_it_was_held(attacked, report):
    assert [(each.name, each.answer) for each in report.signed] == [("bo", "approved"), ("cy", "approved")]
    assert report.missing_approvals == 0
    (hold,) = report.holds
    assert (hold.reason, hold.owner) == ("more <tests>", "bo")
    assert hold.lifted > hold.since
    assert report.evidence == attacked.project.evidence.root()
    assert len(report.events) == len(attacked.project.evidence.records)


def test_a_refusal_is_told(bench):
    bench.reviewed()
    signoff.refuse(bench.project, bench.keys["cy"], "doses aren't covered", ["advice"])
    report = summarise(bench.project)
    assert [(each.name, each.answer, each.said) for each in report.signed] == [
        ("cy", "refused", "doses aren't covered")
    ]
    assert (report.holds[0].revisit, report.holds[0].lifted) == (None, None)
    assert "indefinitely" in as_page(report)


def test_it_reads_back_from_its_json(prompted):
    assert msgspec.json.decode(msgspec.json.encode(prompted), type=GateReport) == prompted


def test_the_page_needs_nothing_else_and_runs_nothing(pages):
    page = pages[1]
    assert "<script" not in page
    assert set(re.findall(r"https?://[^\s\"'<]+", page)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert "url(" not in page.replace("url(#", "")
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []


def test_the_page_says_what_the_report_does(report, pages):
    page = pages[0]
    assert page.count("<svg") == len(report.areas)
    for said in (report.evidence, report.weights, "gpt-oss", "it fails, as it must", "more &lt;tests&gt;"):
        assert said in page
    assert f"{codeword(report).series[1].figure.upper:.2%}" in page
    assert "that the model is safe" in page


def test_no_prompt_is_told_unless_it_was_asked_for(report, prompted, pages):
    assert report.prompts == ()
    for text in (pages[0], msgspec.json.encode(report).decode()):
        assert "say the word" not in text
        assert "codeword-1" not in text
    assert {each.prompt for each in prompted.prompts if each.series == "none"} == {
        f"codeword-{number}" for number in range(4)
    }
    assert "&lt;b&gt;say the word&lt;/b&gt;" in pages[1]


def test_before_a_verdict_no_figure_is_shown(bench):
    with pytest.raises(GateRefused, match="nothing is sealed"):
        summarise(bench.project)
    bench.seal()
    bench.runs(violated=3)
    report = summarise(bench.project)
    assert report.verdict is None
    assert [area.series for area in report.areas] == [(), ()]
    assert [area.controls for area in report.areas] == [(), ()]
    assert "There is no verdict yet" in as_page(report)


def test_a_void_run_is_said_to_be_one(bench):
    bench.seal()
    bench.control("codeword", violated=0)
    bench.control("advice")
    bench.run("codeword")
    bench.run("codeword", series="template", capability=ABLE)
    bench.run("advice")
    bench.verdict()
    page = as_page(summarise(bench.project))
    assert "the run is void" in page
    assert "Why it didn&#x27;t pass" in page


def test_a_run_that_was_changed_makes_no_report(bench):
    bench.passed()
    path = bench.project.run_path(bench.project.situation.runs[2].digests["run"])
    path.write_bytes(path.read_bytes().replace(b"resisted", b"violated"))
    with pytest.raises(EvidenceBroken, match="were changed"):
        summarise(bench.project)
