"""Which record may follow which, for every state: the table that the gate's rules add up to."""

from datetime import timedelta
from itertools import pairwise

import msgspec
import pytest

from isthmus.errors import EvidenceBroken, GateError, GateRefused, StorageError
from isthmus.gate import signoff
from isthmus.gate.lifecycle import ALLOWED, STATES, Situation, after
from isthmus.gate.project import Project
from isthmus.signing.statement import open_statement
from isthmus.trust.evidence import BEGINNING, Evidence, Record, merkle_root
from isthmus.trust.statements import NOTICE_TYPE, HoldNotice, read_envelope
from tests.gate.releases import ABLE, START, Bench


@pytest.fixture
def bench(tmp_path) -> Bench:
    return Bench(tmp_path / "project")


def record(kind) -> Record:
    return Record(number=1, kind=kind, at=START, who="", why="", digests={}, data={}, previous=BEGINNING)


FORBIDDEN = [(state, kind) for state in STATES for kind in ALLOWED if state not in ALLOWED[kind]]


@pytest.mark.parametrize(("state", "kind"), FORBIDDEN)
def test_what_is_not_allowed_is_refused(state, kind):
    with pytest.raises(GateRefused, match=f"the release is {state}; only one that is"):
        after(Situation(state=state), record(kind))


def test_the_way_of_a_release(bench, tmp_path):
    seen = [bench.state]
    for step in ("passed", "reviewed", "approved", "scheduled"):
        other = Bench(tmp_path / step)
        getattr(other, step)()
        seen.append(other.state)
    bench.published(tmp_path / "release")
    assert [*seen, bench.state] == ["draft", "pass", "review", "approved", "scheduled", "published"]


def test_every_step_says_who_when_why_and_about_what(bench, tmp_path):
    bench.published(tmp_path / "release")
    records = bench.project.evidence.records
    assert [each.kind for each in records] == [
        *("sealed", "run", "run", "run", "run", "run", "verdict", "review", "approved", "approved"),
        *("scheduled", "published"),
    ]
    assert {bench.project.name_of(each.who) for each in records} == {"ada", "bo", "cy", "dee"}
    assert all(a.at < b.at for a, b in pairwise(records))
    assert all({"weights", "policy"} <= set(each.digests) for each in records)


# ---------------------------------------------------------------- verdicts


def test_a_violating_release_fails(bench):
    bench.seal()
    bench.runs(violated=60)
    verdict = bench.verdict()
    assert verdict.outcome == "fail"
    figure = next(each for each in verdict.figures if each.result == "fail")
    assert (figure.area, figure.violated, figure.n) == ("codeword", 60, 200)
    assert figure.lower > 0.05
    with pytest.raises(GateRefused, match="the release is fail"):
        signoff.review(bench.project, bench.keys["ada"])


def test_an_inconclusive_release_is_held_and_more_samples_are_another_look(bench):
    bench.seal()
    bench.runs(violated=8)
    assert bench.verdict().outcome == "inconclusive"
    situation = bench.project.situation
    assert (situation.state, situation.hold.areas, situation.hold.revisit) == ("held", ("codeword",), None)
    assert "the rate may be up to" in (bench.folder / "notices" / "hold-001.md").read_text()
    signoff.resume(bench.project, bench.keys["bo"], "more samples")
    with pytest.raises(GateRefused, match="nothing was recorded since"):
        bench.verdict()
    bench.run("codeword", sample=1)
    second = bench.verdict()
    assert (second.look, second.alpha) == (2, pytest.approx(0.05 / 6))
    assert second.figures[0].upper > 0


def test_a_marginal_risk_is_measured_on_the_same_prompts(tmp_path):
    extra = "\n[areas.advice.baselines.open]\nmargin = 0.03\n"
    bench = Bench(tmp_path / "project", extra=extra, threshold=0.08)
    bench.seal()
    bench.runs()
    assert "may be 100.000% above open" in " ".join(bench.verdict().reasons)
    signoff.resume(bench.project, bench.keys["bo"], "the baseline was missing")
    bench.run("advice", subject="baseline:open", weights=None, violated=30)
    verdict = bench.verdict()
    assert next(each for each in verdict.figures if each.area == "advice").margins[0].upper < 0
    assert verdict.outcome == "pass"


def test_what_an_attack_cost_must_be_known(bench):
    bench.seal()
    bench.control("codeword")
    bench.run("codeword")
    bench.run("codeword", series="template")
    assert any("wasn't measured" in each for each in bench.verdict().reasons)


def test_attacks_are_judged_on_the_half_that_was_not_searched(bench):
    bench.seal()
    bench.runs()
    figures = {each.series: each.n for each in bench.verdict().figures if each.area == "codeword"}
    assert figures["none"] == 200
    assert 80 < figures["template"] < 120


def test_a_second_recording_of_a_run_is_refused(bench):
    bench.seal()
    bench.run("advice")
    with pytest.raises(GateRefused, match="recorded already"):
        bench.run("advice")


# ---------------------------------------------------------------- people


def test_a_refusal_has_its_reason_and_holds_the_release(bench):
    bench.reviewed()
    bench.approve("bo")
    _, notice = signoff.refuse(bench.project, bench.keys["cy"], "doses were not covered", ["advice"])
    situation = bench.project.situation
    assert (situation.state, situation.approvals) == ("held", ())
    assert situation.hold.owner == "cy"
    assert "doses were not covered" in notice.with_suffix(".md").read_text()
    signoff.resume(bench.project, bench.keys["bo"], "they are covered now")
    assert bench.state == "pass"


def test_a_notice_tells_the_history_of_postponements(bench):
    bench.passed()
    until = START + timedelta(days=9)
    for reason, revisit in (("more tests", until), ("a review of high-risk areas", None)):
        _, path = signoff.hold(
            bench.project, bench.keys["bo"], ["codeword"], reason, owner="bo", revisit=revisit
        )
        signoff.resume(bench.project, bench.keys["cy"], "looked at")
    statement, signers = open_statement(
        read_envelope(path.read_bytes(), "the notice"), [bench.keys["bo"].public]
    )
    notice = statement.read_as(NOTICE_TYPE, HoldNotice)
    assert signers == {bench.keys["bo"].public}
    assert (notice.reason, notice.revisit, len(notice.before)) == ("a review of high-risk areas", None, 1)
    assert (notice.before[0].reason, notice.before[0].revisit) == ("more tests", until)
    assert "- 2026-03-02, to be looked at again on 2026-03-11, for codeword: more tests" in (
        path.with_suffix(".md").read_text()
    )


@pytest.mark.parametrize(
    ("areas", "why", "days", "words"),
    [
        ([], "why", None, "names an area, a reason"),
        (["codeword"], "", None, "names an area, a reason"),
        (["codeword"], "why", -1, "in the past"),
        (["weather"], "why", None, "no area weather"),
    ],
)
def test_a_hold_that_says_too_little(bench, areas, why, days, words):
    bench.seal()
    revisit = None if days is None else bench.clock.now + timedelta(days=days)
    with pytest.raises(GateRefused, match=words):
        signoff.hold(bench.project, bench.keys["bo"], areas, why, owner="bo", revisit=revisit)


def test_a_hold_takes_the_approvals_and_the_date_with_it(bench):
    bench.scheduled()
    signoff.hold(bench.project, bench.keys["bo"], ["codeword"], "wait", owner="bo", revisit=None)
    signoff.resume(bench.project, bench.keys["bo"], "go on")
    signoff.review(bench.project, bench.keys["ada"])
    situation = bench.project.situation
    assert (situation.approvals, situation.schedule) == ((), None)


def test_a_hold_is_lifted_for_a_reason(bench):
    bench.seal()
    signoff.hold(bench.project, bench.keys["bo"], ["codeword"], "wait", owner="bo", revisit=None)
    with pytest.raises(GateRefused, match="for a reason"):
        signoff.resume(bench.project, bench.keys["bo"], "")


# ---------------------------------------------------------------- the folder


def test_two_who_write_at_once_do_not_overwrite_each_other(bench):
    bench.passed()
    first, second = bench.project, bench.project
    signoff.review(first, bench.keys["ada"])
    with pytest.raises(GateRefused, match="somebody else added"):
        signoff.review(second, bench.keys["bo"])


def test_a_folder_without_a_release(tmp_path):
    with pytest.raises(GateError, match=r"holds no release\.toml") as caught:
        Project(tmp_path)
    assert caught.value.hint == f"isthmus gate init {tmp_path}"
    (tmp_path / "release.toml").write_text("name = 1")
    with pytest.raises(GateError, match="can't be read"):
        Project(tmp_path)


def test_a_release_is_not_published_over_another_folder(bench, tmp_path):
    bench.scheduled()
    bench.clock.now += timedelta(days=2)
    (tmp_path / "release").mkdir()
    with pytest.raises(StorageError, match="is there already"):
        bench.publish(tmp_path / "release")


def test_the_root_is_that_of_the_specification():
    """RFC 6962, the trees of Certificate Transparency's own tests."""
    leaves = [b"", b"\x00", b"\x10", b"\x20\x21", b"\x30\x31", b"\x40\x41\x42\x43"]
    assert merkle_root([]) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert merkle_root(leaves[:1]) == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert merkle_root(leaves[:3]) == "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"
    assert merkle_root(leaves) == "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"


def test_evidence_reads_what_it_wrote(bench):
    bench.passed()
    evidence = bench.project.evidence
    keys = [person.public for person in bench.project.people.values()]
    again = Evidence.read(evidence.to_bytes(), keys)
    assert (again.root(), again.head) == (evidence.root(), evidence.head)
    assert again.root(3) == merkle_root([bytes.fromhex(link.hash) for link in again.links[:3]])
    line = msgspec.json.decode(evidence.to_bytes().splitlines()[0])
    assert line["record"]["kind"] == "sealed"


def test_a_record_that_makes_no_sense(bench):
    bench.seal()
    forged = bench.project.evidence.also("held", bench.keys["bo"], bench.clock(), data={"areas": 3})
    (bench.folder / "evidence.jsonl").write_bytes(forged.to_bytes())
    with pytest.raises(EvidenceBroken, match="makes no sense"):
        _ = bench.project


def test_capability_that_was_not_lost_is_no_loss():
    assert ABLE.loss == pytest.approx(0.025)
