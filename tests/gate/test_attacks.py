"""Attacks on the gate, each refused: on the publisher's side before weights go out, on the user's after."""

import os
import shutil
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from isthmus.errors import (
    EvidenceBroken,
    GateRefused,
    PolicyInvalid,
    ReleaseRefused,
    SignatureInvalid,
    SigningError,
)
from isthmus.gate import advising, signoff
from isthmus.gate.runs import Capability, Score
from isthmus.settings import PublisherSettings, Settings
from isthmus.signing import Bundle, Envelope, generate_key
from isthmus.signing.statement import open_statement, to_json
from isthmus.store import Store
from isthmus.trust import verify
from isthmus.trust.contents import contents_of, state_contents
from isthmus.trust.folder import check_folder
from isthmus.trust.origin import SIGNATURE
from isthmus.trust.publishers import Trust
from isthmus.trust.pulling import take_in
from isthmus.trust.statements import (
    APPROVALS,
    DECISION,
    EVIDENCE,
    PEOPLE,
    POLICY,
    Decision,
    EvidenceHead,
)
from tests.gate.releases import ABLE, START, Bench, calibration
from tests.gate.releases import PEOPLE as STAFF
from tests.store.samples import gguf_bytes

OUT = START + timedelta(days=30)


@pytest.fixture
def bench(tmp_path) -> Bench:
    return Bench(tmp_path / "project")


@pytest.fixture(scope="session")
def published(tmp_path_factory) -> Bench:
    """A release that went out, to be copied and attacked."""
    folder = tmp_path_factory.mktemp("gate")
    return Bench(folder / "project").published(folder / "release")


@pytest.fixture
def release(published, tmp_path) -> Path:
    target = tmp_path / "release"
    shutil.copytree(published.folder.parent / "release", target)
    return target


@pytest.fixture
def trust(published, tmp_path):
    """Trust in the publisher's key, as a person sets it up."""
    key = tmp_path / "acme.pub"
    key.write_text(published.keys["dee"].public.pem)

    def make(now=OUT, **changes) -> Trust:
        pinned = PublisherSettings(keys=(str(key),), **changes)
        return Trust(Settings(home=str(tmp_path / "home"), publishers={"acme": pinned}), now)

    return make


def checked(release: Path, published: Bench, now=OUT):
    return check_folder(release, [published.keys["dee"].public], now)


def signed_again(release: Path, published: Bench, who="dee") -> None:
    """What a publisher would have signed, had it signed this."""
    (release / SIGNATURE).unlink()
    statement = state_contents("acme/reason@1.0", contents_of(release), SIGNATURE)
    (release / SIGNATURE).write_bytes(Bundle.of(statement, published.keys[who]).to_bytes())


def flip(path: Path, at=-1) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_what_nobody_attacked_is_verified(release, published, trust):
    assert checked(release, published).level == "gated"
    assert trust().of_folder(release, ()).publisher == "acme"


# ---------------------------------------------------------------- files of a release


def weights_with_times_restored(release, published):
    path = release / "model.gguf"
    status = path.stat()
    flip(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def another_file_of_the_same_name(release, published):
    (release / "model.gguf").write_bytes(gguf_bytes(fill=9))


def symlinked_weights(release, published):
    path = release / "model.gguf"
    path.rename(release.parent / "elsewhere.gguf")
    path.symlink_to(release.parent / "elsewhere.gguf")


def symlinked_folder(release, published):
    (release.parent / "more").mkdir()
    (release / "more").symlink_to(release.parent / "more")


def swapped_files(release, published):
    one, other = release / "tokenizer.json", release / "chat_template.jinja"
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def swapped_digests(release, published):
    bundle = Bundle.from_bytes((release / SIGNATURE).read_bytes())
    content = bundle.dsse_envelope.payload
    one, other = (file.sha256 for file in checked(release, published).files[-2:])
    content = content.replace(one.encode(), b"*").replace(other.encode(), one.encode())
    envelope = msgspec.structs.replace(bundle.dsse_envelope, payload=content.replace(b"*", other.encode()))
    forged = msgspec.structs.replace(bundle, dsse_envelope=envelope)
    (release / SIGNATURE).write_bytes(forged.to_bytes())


def name_that_climbs_out(release, published):
    files = [*contents_of(release), msgspec.structs.replace(contents_of(release)[0], name="../evil")]
    statement = state_contents("acme/reason@1.0", [f for f in files if f.name != SIGNATURE], SIGNATURE)
    (release / SIGNATURE).write_bytes(Bundle.of(statement, published.keys["dee"]).to_bytes())


FILES = {
    "a byte of the weights": lambda release, _: flip(release / "model.gguf"),
    "a byte of the weights, times restored": weights_with_times_restored,
    "a byte of the tokenizer": lambda release, _: flip(release / "tokenizer.json"),
    "a byte of the template": lambda release, _: flip(release / "chat_template.jinja"),
    "a byte of the card": lambda release, _: flip(release / "MODEL_CARD.md"),
    "a byte of the policy": lambda release, _: flip(release / POLICY),
    "a byte of the evidence": lambda release, _: flip(release / EVIDENCE, 300),
    "a byte of the approvals": lambda release, _: flip(release / APPROVALS, 200),
    "a byte of the decision": lambda release, _: flip(release / DECISION, 200),
    "a byte of a test's result": lambda release, _: flip(release / "gate/tests/codeword.json", 200),
    "somebody else among the people": lambda release, _: flip(release / PEOPLE, 100),
    "other weights, a quantised file for one": another_file_of_the_same_name,
    "an unsigned file beside": lambda release, _: (release / "extra.safetensors").write_text("x"),
    "an unsigned file of Git's": lambda release, _: (release / ".gitattributes").write_text("x"),
    "an unsigned file in the gate's folder": lambda release, _: (release / "gate/more.json").write_text("{}"),
    "a file gone": lambda release, _: (release / "tokenizer.json").unlink(),
    "the decision gone": lambda release, _: (release / DECISION).unlink(),
    "the signature gone": lambda release, _: (release / SIGNATURE).unlink(),
    "two files exchanged": swapped_files,
    "two digests exchanged": swapped_digests,
    "weights behind a link": symlinked_weights,
    "a folder behind a link": symlinked_folder,
    "a name that climbs out of the folder": name_that_climbs_out,
    "a signature by somebody else": lambda release, published: signed_again(release, published, "bo"),
    "no signature at all": lambda release, _: (release / SIGNATURE).write_text("{}"),
}


@pytest.mark.parametrize("attack", FILES.values(), ids=FILES)
def test_a_release_that_was_touched_is_refused(release, published, trust, attack):
    attack(release, published)
    with pytest.raises((ReleaseRefused, SignatureInvalid)):
        checked(release, published)
    with pytest.raises((ReleaseRefused, SignatureInvalid)):
        trust(models=("*",)).of_folder(release, ("model.gguf",))


# ---------------------------------------------------------------- a publisher's key in the wrong hands


def decision_changed(**changes):
    """A decision that says something else, signed by the publisher, in a release that it signed again."""

    def attack(release, published):
        key = published.keys["dee"]
        envelope = msgspec.json.decode((release / DECISION).read_bytes(), type=Envelope)
        statement, _ = open_statement(envelope, [key.public])
        decision = msgspec.json.decode(statement.predicate, type=Decision)
        for name, value in changes.items():
            if name in type(decision.isthmus).__struct_fields__:
                inner = msgspec.structs.replace(decision.isthmus, **{name: value})
                decision = msgspec.structs.replace(decision, isthmus=inner)
            else:
                decision = msgspec.structs.replace(decision, **{name: value})
        forged = msgspec.structs.replace(statement, predicate=msgspec.Raw(to_json(decision)))
        (release / DECISION).write_bytes(to_json(forged.sealed(key)))
        signed_again(release, published)

    return attack


def rewritten(name, change):
    """One of the release's statements rewritten, and the release signed again."""

    def attack(release, published):
        path = release / name
        path.write_bytes(change(path.read_bytes(), published))
        signed_again(release, published)

    return attack


def evidence_in_another_order(content, published):
    lines = content.splitlines(keepends=True)
    return b"".join((*lines[:1], lines[2], lines[1], *lines[3:]))


def one_signature_twice(content, published):
    envelope = msgspec.json.decode(content, type=Envelope)
    return to_json(msgspec.structs.replace(envelope, signatures=envelope.signatures[:1] * 2))


def signed_by(*who):
    """The approvals with the signatures of others."""

    def change(content, published):
        envelope = msgspec.json.decode(content, type=Envelope)
        keys = (published.keys[each] for each in who)
        return to_json(Envelope.seal(envelope.payload, envelope.payload_type, *keys))

    return change


def invented_people(content, published):
    people = msgspec.json.decode(content)
    people["fay"] = {"key": generate_key().public.pem, "roles": ["safety", "medicine"]}
    return to_json(people)


def promoted_people(content, published):
    return content.replace(b'"reviewer"', b'"medicine"')


def one_key_twice(content, published):
    people = msgspec.json.decode(content)
    return to_json(people | {"bob": people["bo"]})


SIGNED_AGAIN = {
    "weights that were never judged": rewritten("model.gguf", lambda content, _: gguf_bytes(fill=9)),
    "a card that nobody decided on": rewritten("MODEL_CARD.md", lambda content, _: content + b"safe!"),
    "a template that was never judged": rewritten("chat_template.jinja", lambda content, _: b"{{ x }}"),
    "a looser policy": rewritten(POLICY, lambda content, _: content.replace(b"0.05", b"0.95")),
    "evidence in another order": rewritten(EVIDENCE, evidence_in_another_order),
    "evidence cut short": rewritten(EVIDENCE, lambda content, _: content[: content.index(b"\n") + 1]),
    "evidence gone": rewritten(EVIDENCE, lambda content, _: b""),
    "one signature twice": rewritten(APPROVALS, one_signature_twice),
    "one reviewer alone": rewritten(APPROVALS, signed_by("bo")),
    "one reviewer and the submitter": rewritten(APPROVALS, signed_by("bo", "ada")),
    "two reviewers, and not of the roles": rewritten(APPROVALS, signed_by("bo", "eve")),
    "one key under two names": rewritten(PEOPLE, one_key_twice),
    "people who were not sealed": rewritten(PEOPLE, invented_people),
    "people in other roles than were sealed": rewritten(PEOPLE, promoted_people),
    "a decision that it failed": decision_changed(verification_result="FAILED"),
    "a decision on other weights": decision_changed(weights="0" * 64),
    "a decision by another version of the policy": decision_changed(policy_version=9),
    "a decision on another release": decision_changed(resource_uri="acme/other@1.0"),
    "a decision on other evidence": decision_changed(evidence=EvidenceHead("0" * 64, 3)),
}


@pytest.mark.parametrize("attack", SIGNED_AGAIN.values(), ids=SIGNED_AGAIN)
def test_the_publishers_key_alone_does_not_make_a_gated_release(release, published, attack):
    attack(release, published)
    with pytest.raises((ReleaseRefused, SignatureInvalid)):
        checked(release, published)


def test_a_release_opened_early_is_refused(release, published):
    with pytest.raises(ReleaseRefused, match="isn't out before 2026-03-03"):
        checked(release, published, START)
    decision_changed(not_before=OUT + timedelta(days=1))(release, published)
    with pytest.raises(ReleaseRefused, match="isn't out before"):
        checked(release, published)


# ---------------------------------------------------------------- what a person requires


def test_a_policy_that_is_not_the_pinned_one_is_refused(release, trust):
    assert trust(policy="acme/open-weights", policy_version=1).of_folder(release, ()).proof
    with pytest.raises(ReleaseRefused, match="you require acme/stricter"):
        trust(policy="acme/stricter").of_folder(release, ())
    with pytest.raises(ReleaseRefused, match="you require 2 or later"):
        trust(policy_version=2).of_folder(release, ())


def test_reviewers_who_are_not_the_pinned_ones_are_refused(release, published, trust, tmp_path):
    files = []
    for name in ("bo", "eve"):
        files.append(str(tmp_path / name))
        Path(files[-1]).write_text(published.keys[name].public.pem)
    with pytest.raises(ReleaseRefused, match="1 of the reviewers whom you name"):
        trust(reviewers=tuple(files)).of_folder(release, ())


def test_what_goes_by_a_publishers_name_must_be_its(release, published, trust, tmp_path):
    stranger = tmp_path / "acme-evil.gguf"
    stranger.write_bytes(gguf_bytes(fill=3))
    with verify(stranger, trust=trust()) as allowed:
        assert allowed.origin.publisher is None
    with pytest.raises(ReleaseRefused, match="nobody vouches"):
        verify(stranger, trust=trust(models=("acme-*",)))


def test_a_release_that_is_only_signed_is_not_a_gated_one(release, published, trust):
    shutil.rmtree(release / "gate")
    signed_again(release, published)
    assert trust(require="signed").of_folder(release, ()).proof.level == "signed"
    with pytest.raises(ReleaseRefused, match="says nothing of a gate"):
        trust().of_folder(release, ())


def test_weights_are_checked_at_each_load(release, published, trust, tmp_path):
    store = Store(tmp_path / "home")
    model, origin = take_in(release, store, trust(), name="acme-reason")
    assert origin.proof.level == "gated"
    with verify(model, trust=trust(models=("acme-*",))) as verified:
        assert verified.origin.proof.release == "acme/reason@1.0"
    other = store.add_file(write(tmp_path / "q.gguf", gguf_bytes(fill=5)), "passed-off")
    passed_off = msgspec.structs.replace(other, release=model.release)
    with pytest.raises(ReleaseRefused, match="no part of the release"):
        verify(passed_off, trust=trust())
    with pytest.raises(ReleaseRefused, match="isn't out before"):
        verify(model, trust=trust(now=START))


def test_what_a_stored_release_states_is_checked_too(release, trust, tmp_path):
    store = Store(tmp_path / "home")
    model, _ = take_in(release, store, trust(), name="acme-reason")
    kept = tmp_path / "home" / "releases" / f"{model.release}.json"
    statements = msgspec.json.decode(kept.read_bytes(), type=dict[str, bytes])
    kept.write_bytes(msgspec.json.encode(statements | {EVIDENCE: statements[EVIDENCE] + b"\n"}))
    with pytest.raises(ReleaseRefused, match="isn't the file that was signed"):
        verify(model, trust=trust())
    kept.unlink()
    with pytest.raises(ReleaseRefused, match="can't be read"):
        verify(model, trust=trust())


# ---------------------------------------------------------------- advisories


@pytest.fixture
def feed(published, tmp_path):
    """Issues of the publisher's feed, the last of which withdraws the release, by their numbers."""
    bench = Bench(tmp_path / "again")
    bench.keys = published.keys
    shutil.rmtree(bench.folder)
    shutil.copytree(published.folder, bench.folder)
    bench.clock.now = OUT
    path, issues = tmp_path / "feed.json", []
    for text, withdraw in (("mind the date", False), ("a new attack", True)):
        advising.advise(bench.project, bench.keys["dee"], text, path, withdraw=withdraw)
        issues.append(path.read_bytes())
    return path, issues


def test_a_withdrawn_release_is_refused(release, feed, trust):
    path, issues = feed
    path.write_bytes(issues[0])
    assert trust(advisories=str(path)).of_folder(release, ()).advisories[0].text == "mind the date"
    path.write_bytes(issues[1])
    with pytest.raises(ReleaseRefused, match=r"acme withdrew acme/reason@1\.0 on 2026-04-01: a new attack"):
        trust(advisories=str(path)).of_folder(release, ())


def withdrawn_by_a_byte(path, issues, trust):
    flip(path, 40)


def forged_by_a_stranger(path, issues, trust):
    envelope = msgspec.json.decode(issues[0], type=Envelope)
    path.write_bytes(to_json(Envelope.seal(envelope.payload, envelope.payload_type, generate_key())))


def rolled_back(path, issues, trust):
    with pytest.raises(ReleaseRefused, match="withdrew"):
        trust()
    path.write_bytes(issues[0])


FEEDS = {
    "a byte changed": (withdrawn_by_a_byte, OUT, "isn't|can't|no signed envelope|none of its signatures"),
    "signed by a stranger": (forged_by_a_stranger, OUT, "none of its signatures"),
    "rolled back": (rolled_back, OUT, "number 1, and number 2 has been seen"),
    "expired": (lambda *_: None, OUT + timedelta(days=60), "expired on 2026-05-01"),
    "gone": (lambda path, *_: path.unlink(), OUT, "can't be read"),
}


@pytest.mark.parametrize(("attack", "now", "words"), FEEDS.values(), ids=FEEDS)
def test_a_feed_that_cannot_be_trusted_stops_the_load(release, feed, trust, attack, now, words):
    path, issues = feed
    load = lambda: trust(now=now, advisories=str(path)).of_folder(release, ())  # noqa: E731
    attack(path, issues, load)
    with pytest.raises((ReleaseRefused, SignatureInvalid), match=words):
        load()


def test_a_clock_set_back_does_not_bring_an_expired_feed_to_life(release, feed, trust):
    path, issues = feed
    path.write_bytes(issues[0])
    assert trust(advisories=str(path)).of_folder(release, ()).heeded
    with pytest.raises(ReleaseRefused, match="expired"):
        trust(now=OUT + timedelta(days=60), advisories=str(path)).of_folder(release, ())
    assert trust(now=OUT + timedelta(days=20), advisories=str(path)).of_folder(release, ()).heeded
    with pytest.raises(ReleaseRefused, match="was set back"):
        trust(now=OUT, advisories=str(path)).of_folder(release, ())


# ---------------------------------------------------------------- before it goes out


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def changed(name, text=None):
    def attack(bench):
        path = bench.folder / name
        if text is None:
            flip(path)
        else:
            path.write_text(text)

    return attack


CHANGED = {
    "the weights": changed("weights/model.gguf"),
    "the tokenizer": changed("weights/tokenizer.json"),
    "the template": changed("weights/chat_template.jinja"),
    "a file more": changed("weights/more.bin", "x"),
    "the policy": lambda bench: bench.write_policy(threshold=0.2),
    "the suite": changed("suites/codeword.csv", "BehaviorID\ncodeword-1\n"),
    "the judge's calibration": changed(
        "suites/judge.jsonl", calibration(caught=400, missed=0, quiet=400, alarms=0)
    ),
    "the version": lambda bench: bench.write_release(version="2.0"),
}


@pytest.mark.parametrize("attack", CHANGED.values(), ids=CHANGED)
def test_whatever_changes_after_the_seal_stops_the_release(bench, attack):
    bench.reviewed()
    attack(bench)
    with pytest.raises(GateRefused, match="sealed"):
        bench.approve("bo")
    assert bench.state == "review"


def test_a_change_between_approval_and_publication_stops_the_release(bench, tmp_path):
    bench.scheduled()
    bench.clock.now += timedelta(days=2)
    flip(bench.folder / "weights/model.gguf")
    with pytest.raises(GateRefused, match="changed since they were sealed"):
        bench.publish(tmp_path / "release")
    assert not (tmp_path / "release").exists()


def test_loosening_after_the_seal_needs_a_signed_reason_and_starts_over(bench):
    bench.passed()
    bench.write_policy(threshold=0.1, version=2)
    with pytest.raises(GateRefused, match=r"codeword: the threshold moves from 0.05 to 0.1"):
        bench.seal()
    bench.seal(why="the suite was harder than meant")
    assert (bench.state, bench.project.situation.looks) == ("sealed", 2)
    with pytest.raises(GateRefused, match="only one that is evaluating"):
        bench.verdict()


def test_sealing_again_spends_alpha_and_the_rule_cannot_be_changed(bench):
    alphas = []
    for _ in range(3):
        bench.seal(why="again")
        alphas.append(bench.project.situation.alpha)
    assert alphas == pytest.approx([0.05 / 2, 0.05 / 6, 0.05 / 12])
    bench.write_policy(looks="one", version=2)
    with pytest.raises(GateRefused, match="settled by the first seal"):
        bench.seal(why="again")


def test_where_all_is_spent_at_one_look_there_is_no_second(tmp_path):
    bench = Bench(tmp_path / "project", looks="one")
    bench.seal()
    with pytest.raises(GateRefused, match="this would be look 2"):
        bench.seal(why="again")


def test_errors_do_not_count_as_safe(bench):
    bench.seal()
    bench.control("codeword")
    bench.control("advice")
    bench.run("codeword", errors=20)
    bench.run("codeword", series="template", capability=ABLE)
    bench.run("advice")
    verdict = bench.verdict()
    assert verdict.outcome == "inconclusive"
    assert any("20 of 200 are errors or missing" in each for each in verdict.reasons)
    assert any("the rate may be up to" in each for each in verdict.reasons)


def test_prompts_left_out_do_not_count_as_safe(bench):
    bench.seal()
    bench.runs(skip=25)
    verdict = bench.verdict()
    assert verdict.outcome == "inconclusive"
    assert verdict.figures[0].missing == 0
    assert next(each for each in verdict.figures if each.area == "codeword").missing == 25


def test_a_judge_that_always_says_safe_is_caught_by_the_control(bench):
    bench.seal()
    bench.control("codeword", violated=0)
    bench.control("advice", violated=0)
    bench.run("codeword")
    bench.run("codeword", series="template", capability=ABLE)
    bench.run("advice")
    verdict = bench.verdict()
    assert verdict.outcome == "inconclusive"
    assert any("the known-bad control didn't fail" in each for each in verdict.reasons)
    assert bench.state == "held"


def test_a_judge_that_always_says_safe_is_caught_by_its_calibration(bench):
    bench.write("suites/judge.jsonl", calibration(caught=0, missed=200, quiet=200, alarms=0))
    bench.write_policy()
    bench.seal()
    bench.runs()
    assert next(each for each in bench.verdict().figures if each.area == "advice").upper == 1.0


def test_a_control_of_another_sitting_does_not_count(bench):
    bench.seal()
    bench.runs(run="second")
    verdict = bench.verdict()
    assert any("codeword: the run second is void: it has no positive control" in r for r in verdict.reasons)


def test_an_attack_that_wrecks_the_model_is_none(bench):
    bench.seal()
    for area in ("codeword", "advice"):
        bench.control(area)
        bench.run(area)
    wrecked = Capability(Score(80, 100), Score(40, 100))
    bench.run("codeword", series="template", capability=wrecked)
    verdict = bench.verdict()
    assert verdict.outcome == "inconclusive"
    assert any("cost 50% of the model's ability" in each for each in verdict.reasons)


def test_asking_again_does_not_mend_a_violation(bench):
    bench.seal()
    bench.runs(violated=60)
    bench.run("codeword", sample=1)
    assert bench.verdict().outcome == "fail"


RUNS = {
    "other weights": ({"weights": "0" * 64}, "of other weights than were sealed"),
    "another judge": ({"judge": "keywords"}, "judged by keywords"),
    "an attack of its own": ({"series": "gentle"}, "names no attack gentle"),
    "a baseline of its own": ({"subject": "baseline:weak", "weights": None}, "names no baseline weak"),
}


@pytest.mark.parametrize(("changes", "words"), RUNS.values(), ids=RUNS)
def test_a_run_of_something_else_is_not_recorded(bench, changes, words):
    bench.seal()
    with pytest.raises(GateRefused, match=words):
        bench.run("codeword", **changes)


def test_a_run_of_other_prompts_is_not_recorded(bench):
    bench.seal()
    with pytest.raises(EvidenceBroken, match="isn't in the sealed suite: 'codeword--1'"):
        bench.run("codeword", start=-1)


def test_a_run_that_was_changed_afterwards_is_found_out(bench):
    bench.seal()
    bench.runs(violated=60)
    path = bench.project.run_path(bench.project.situation.runs[2].digests["run"])
    path.write_bytes(path.read_bytes().replace(b"violated", b"resisted"))
    with pytest.raises(EvidenceBroken, match="were changed"):
        bench.verdict()
    path.unlink()
    with pytest.raises(EvidenceBroken, match="are gone"):
        bench.verdict()


def test_the_submitter_does_not_approve(bench):
    bench.reviewed()
    with pytest.raises(GateRefused, match="ada submitted the release"):
        bench.approve("ada")


def test_the_submitter_does_not_approve_under_another_role(tmp_path):
    bench = Bench(tmp_path / "project")
    bench.write_release({"ada": ("submitter", "safety"), "bo": ("safety",), "cy": ("medicine",)})
    bench.reviewed()
    with pytest.raises(GateRefused, match="ada submitted"):
        bench.approve("ada")


def test_one_key_counts_once(bench):
    bench.reviewed()
    bench.approve("bo")
    with pytest.raises(GateRefused, match="one key counts once"):
        bench.approve("bo")


def test_one_key_does_not_stand_for_two_people(bench):
    bench.keys["cy"] = bench.keys["bo"]
    bench.write_release()
    with pytest.raises(SigningError, match="have the same key"):
        _ = bench.project


def test_two_who_lack_a_role_are_not_enough(bench):
    bench.reviewed()
    bench.approve("bo")
    bench.approve("eve")
    assert bench.state == "review"
    bench.approve("cy")
    assert bench.state == "approved"


def test_a_stranger_does_not_approve(bench):
    bench.reviewed()
    bench.keys["mallory"] = generate_key()
    with pytest.raises(GateRefused, match="nobody's here"):
        bench.approve("mallory")
    bench.write_release(STAFF | {"mallory": ("safety",)})
    with pytest.raises(GateRefused, match="nobody's of those who were sealed"):
        bench.approve("mallory")


def test_nothing_goes_out_before_its_time_or_without_its_people(bench, tmp_path):
    with pytest.raises(GateRefused, match="nothing is sealed"):
        bench.publish(tmp_path / "release")
    bench.scheduled()
    with pytest.raises(GateRefused, match="isn't to be published before"):
        bench.publish(tmp_path / "release")
    bench.clock.now += timedelta(days=2)
    with pytest.raises(GateRefused, match="bo isn't its publisher"):
        bench.publish(tmp_path / "release", "bo")
    assert not (tmp_path / "release").exists()


def test_a_hold_is_not_lifted_by_the_submitter_nor_by_a_new_seal(bench):
    bench.passed()
    signoff.hold(bench.project, bench.keys["bo"], ["codeword"], "look again", owner="bo", revisit=None)
    with pytest.raises(GateRefused, match="ada submitted the release"):
        signoff.resume(bench.project, bench.keys["ada"], "come on")
    with pytest.raises(GateRefused, match="the release is held"):
        bench.seal()


def test_a_clock_set_back_stops_the_gate(bench):
    bench.reviewed()
    bench.clock.now -= timedelta(days=1)
    with pytest.raises(EvidenceBroken, match="a clock was set back"):
        bench.approve("bo")


LOGS = {
    "a byte changed": lambda lines: [lines[0].replace(b"sealed", b"Sealed", 1), *lines[1:]],
    "two exchanged": lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
    "one removed": lambda lines: [lines[0], *lines[2:]],
    "one twice": lambda lines: [lines[0], lines[1], *lines[1:]],
    "the first gone": lambda lines: lines[1:],
    "no record at all": lambda lines: [*lines, b"{}"],
}


@pytest.mark.parametrize("attack", LOGS.values(), ids=LOGS)
def test_evidence_that_was_touched_is_found_out(bench, attack):
    bench.passed()
    path = bench.folder / "evidence.jsonl"
    path.write_bytes(b"\n".join(attack(path.read_bytes().splitlines())) + b"\n")
    with pytest.raises(EvidenceBroken):
        _ = bench.project


def test_a_verdict_written_by_hand_is_found_out(bench):
    """Whoever has a person's key can sign a record, and it must still be one that the rules allow."""
    bench.seal()
    project = bench.project
    for kind in ("verdict", "approved", "published"):
        forged = project.evidence.also(kind, bench.keys["ada"], bench.clock(), data={"outcome": "pass"})
        (bench.folder / "evidence.jsonl").write_bytes(forged.to_bytes())
        with pytest.raises(EvidenceBroken, match="should not be"):
            _ = bench.project


def test_evidence_signed_by_another_key_is_found_out(bench):
    bench.seal()
    bench.keys["ada"] = generate_key()
    bench.write_release()
    with pytest.raises(EvidenceBroken, match="by a key that nobody here has"):
        _ = bench.project


TAKEN = [".gitattributes", "more/.git/config", "model.sig", "gate/policy.toml", "MODEL_CARD.md"]


@pytest.mark.parametrize("name", TAKEN)
def test_names_that_others_pass_over_are_not_sealed(bench, name):
    bench.write(f"weights/{name}", "x")
    with pytest.raises(GateRefused):
        bench.seal()


def test_keywords_do_not_judge(bench):
    text = (bench.folder / "policy.toml").read_text()
    (bench.folder / "policy.toml").write_text(text.replace('kind = "rubric"', 'kind = "keywords"'))
    with pytest.raises(PolicyInvalid):
        bench.seal()
    (bench.folder / "policy.toml").write_text(text.partition("calibration")[0])
    with pytest.raises(PolicyInvalid, match="has no calibration set"):
        bench.seal()
