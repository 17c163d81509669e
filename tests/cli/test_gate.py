"""``isthmus gate`` and ``isthmus verify``, as people at a terminal use them."""

import json
from datetime import timedelta

import pytest

from isthmus.gate import project as project_module
from isthmus.signing.keys import write_private_key
from tests.gate.releases import ABLE, PEOPLE, PROMPTS, Bench
from tests.store.registry import GGUF, running_registry
from tests.store.samples import gguf_bytes


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """A project in the working folder, by a clock that the test sets, with everybody's keys in files."""
    bench = Bench(tmp_path / "work" / "project")
    for name in PEOPLE:
        write_private_key(bench.folder / "keys" / f"{name}.pem", bench.keys[name])
    start = project_module.Project.__init__
    monkeypatch.setattr(
        project_module.Project, "__init__", lambda self, folder, clock=bench.clock: start(self, folder, clock)
    )
    monkeypatch.chdir(bench.folder)
    return bench


@pytest.fixture
def gate(isthmus):
    def call(*words, who=None, code=0):
        shown = isthmus("gate", *words, *(("--key", f"keys/{who}.pem") if who else ()))
        assert shown.code == code, shown.err
        return shown

    return call


def outcomes(bench, name, area, violated=0):
    rows = [
        {"prompt": f"{area}-{number}", "outcome": "violated" if number < violated else "resisted"}
        for number in range(PROMPTS)
    ]
    bench.write(name, "".join(json.dumps(row) + "\n" for row in rows))
    return name


def pinned(bench, tmp_path, **changes):
    """The person's settings, with the publisher's key."""
    lines = [f"{name} = {json.dumps(value)}" for name, value in changes.items()]
    key = json.dumps([str(bench.folder / "keys" / "dee.pub")])
    text = "\n".join(("[publishers.acme]", f"keys = {key}", *lines))
    folder = tmp_path / "config" / "isthmus"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "isthmus.toml").write_text(text)


def test_from_the_first_file_to_publication(bench, gate, tmp_path):
    assert "codeword  template" in gate("plan").out
    weights = gate("seal", who="ada").out.strip()
    assert len(weights) == 64
    for area in ("codeword", "advice"):
        gate("record", outcomes(bench, "r", area), "--area", area, "--run", "one", who="ada")
        control = outcomes(bench, "c", area, violated=150)
        gate("record", control, "--area", area, "--run", "one", "--subject", "control", who="ada")
    bench.run("codeword", series="template", run="one", capability=ABLE)
    verdict = gate("verdict", who="ada")
    assert verdict.out.splitlines()[-1] == "pass (look 1, alpha 0.025)"
    assert f"Weights: {weights}" in gate("review", who="ada").out
    assert "ada submitted the release" in gate("approve", who="ada", code=16).err
    assert "1 of 2 have approved; nobody yet as medicine" in gate("approve", who="bo").err
    assert "It is approved" in gate("approve", who="cy", code=0).err
    gate("schedule", "--at", "2026-03-03", who="dee")
    target = str(tmp_path / "release")
    assert "isn't to be published before 2026-03-03" in gate("publish", target, who="dee", code=16).err
    bench.clock.now += timedelta(days=2)
    assert gate("publish", target, who="dee").out.strip() == target
    status = gate("status").out
    assert "State:      published" in status
    assert "codeword/template, release: 0 of 200" in status
    feed = str(tmp_path / "feed.json")
    gate("advise", "--text", "mind the date", "--feed", feed, who="dee")
    withdrawn = gate("withdraw", "--text", "a new attack", "--feed", feed, who="dee")
    assert "recalls no copy" in withdrawn.err
    assert "Issue 2 of the feed" in withdrawn.err
    assert (
        "Issue 3 of the feed, good until 2026-04-"
        in gate("renew", "--feed", feed, "--days", "40", who="dee").err
    )


def test_a_report_as_a_page_as_json_and_here(bench, gate, tmp_path):
    assert "nothing is sealed" in gate("report", code=16).err
    bench.reviewed()
    bench.approve("bo")
    page = tmp_path / "report.html"
    shown = gate("report", "--html", str(page))
    assert f"The page is in {page}" in shown.err
    assert "Approved by: bo" in shown.out
    assert "codeword  template" in shown.out
    assert page.read_text().startswith("<!doctype html>")
    report = json.loads(gate("report", "--json").out)
    assert (report["verdict"]["outcome"], report["prompts"]) == ("pass", [])


def test_a_registry_gets_the_release_and_users_pull_it(bench, gate, isthmus, tmp_path, monkeypatch):
    bench.scheduled()
    assert "doesn't say which tag" in gate("publish", "oci:ghcr.io/acme/reason", who="dee", code=2).err
    assert "written to one folder" in gate("publish", "one", "two", who="dee", code=2).err
    bench.clock.now += timedelta(days=2)
    pinned(bench, tmp_path, models=["oci:*"])
    with running_registry(tmp_path) as registry:
        reference = f"oci:{registry.host}/acme/reason:1.0"
        shown = gate("publish", str(tmp_path / "release"), reference, who="dee")
        folder, place = shown.out.splitlines()
        assert (folder, place.partition("@")[0]) == (str(tmp_path / "release"), reference)
        assert isthmus("pull", place).code == 0
        assert "Release:      acme/reason@1.0" in isthmus("verify", "reason:1.0").out
        registry.push("acme/other:1.0", (gguf_bytes(), GGUF, {}))
        refused = isthmus("pull", f"oci:{registry.host}/acme/other:1.0")
    assert (refused.code, "nobody vouches for these files" in refused.err) == (4, True)
    assert isthmus("verify", "other:1.0").code == 4


def test_holding_back_and_going_on(bench, gate):
    bench.reviewed()
    held = gate("hold", "--area", "codeword", "--why", "more tests", "--until", "2026-04-01", who="bo")
    assert held.out.strip() == "notices/hold-001.json"
    status = gate("status").out
    assert "Held for:   codeword" in status
    assert "Until:      2026-04-01" in status
    assert "ada submitted" in gate("resume", "--why", "now", who="ada", code=16).err
    gate("resume", "--why", "they are done", who="cy")
    gate("review", who="ada")
    assert "hold-002" in gate("refuse", "--why", "not for me", who="cy").out
    assert "Until:      indefinitely" in gate("status").out


def test_a_policy_that_cannot_decide_is_told_beforehand(bench, gate):
    bench.write_policy(threshold=0.001)
    shown = gate("plan")
    assert "can't pass" in shown.out
    assert "it needs more prompts" in shown.err
    plan = json.loads(gate("plan", "--json", "--tokens-per-s", "10").out)
    assert plan["outlooks"][0]["most"] == -1
    assert plan["work"]["hours"] > 0


def test_beginning(isthmus, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert isthmus("gate", "init", "new", "--name", "acme/tiny").code == 0
    assert 'publisher = "acme"' in (tmp_path / "new" / "release.toml").read_text()
    assert isthmus("gate", "init", "new").code == 11
    made = isthmus("gate", "keygen", "key.pem", "--algorithm", "ed25519")
    assert (made.code, len(made.out.strip())) == (0, 64)
    assert (tmp_path / "key.pem.pub").read_text().startswith("-----BEGIN PUBLIC KEY")
    assert isthmus("gate", "keygen", "key.pem").code == 11
    assert isthmus("gate", "keygen", "other.pem", "--algorithm", "rsa").code == 2
    assert json.loads(isthmus("gate", "schema", "run").out)["anyOf"]
    assert isthmus("gate", "schema", "weather").code == 2


def test_what_is_missing_is_said(bench, gate, isthmus, monkeypatch):
    assert "no key is named" in gate("seal", code=2).err
    assert "is no date" in gate("schedule", "--at", "soon", who="dee", code=2).err
    assert "can't be read" in gate("record", "none.jsonl", "--area", "codeword", who="ada", code=15).err
    gate("seal", who="ada")
    assert (
        "no area weather"
        in gate(
            "record",
            outcomes(bench, "r", "codeword"),
            "--area",
            "weather",
            "--judge",
            "j",
            who="ada",
            code=16,
        ).err
    )
    odd = ("record", "r", "--area", "codeword", "--subject", "somebody")
    assert "that is no run's" in gate(*odd, who="ada", code=2).err


# ---------------------------------------------------------------- verify


@pytest.fixture
def release(bench, tmp_path):
    bench.published(tmp_path / "release")
    return tmp_path / "release"


def test_what_is_proven_and_what_is_not(isthmus, bench, release, tmp_path):
    shown = isthmus("verify", str(release), "--key", "keys/dee.pub")
    assert shown.code == 0
    assert "Release:      acme/reason@1.0" in shown.out
    assert "Approved by:  bo (safety, reviewer); cy (medicine)" in shown.out
    assert "- that the model is safe: only what is listed was tried" in shown.out
    assert "no feed of advisories is named" in shown.out
    assert json.loads(isthmus("verify", str(release), "--key", "keys/dee.pub", "--json").out)["proof"]


def test_a_key_that_nobody_pinned_proves_nothing(isthmus, bench, release, tmp_path):
    shown = isthmus("verify", str(release))
    assert (shown.code, shown.out) == (4, "")
    assert "nobody whom you know signed this" in shown.err
    pinned(bench, tmp_path)
    assert "Publisher:    acme" in isthmus("verify", str(release)).out


def test_a_changed_release_fails(isthmus, bench, release, tmp_path):
    pinned(bench, tmp_path)
    with (release / "model.gguf").open("ab") as file:
        file.write(b"x")
    shown = isthmus("verify", str(release))
    assert (shown.code, shown.out) == (4, "")
    assert "model.gguf has been changed" in shown.err


def test_a_pulled_release_is_checked_again(isthmus, bench, release, tmp_path, home):
    pinned(bench, tmp_path, models=["acme-*"])
    assert isthmus("pull", str(release), "--name", "acme-reason").code == 0
    shown = isthmus("verify", "acme-reason")
    assert "Policy:       acme/open-weights, version 1" in shown.out
    assert isthmus("verify", "acme-reason", "--key", "keys/dee.pub").code == 2
    stranger = isthmus("pull", str(bench.folder / "weights" / "model.gguf"), "--name", "acme-other")
    assert (stranger.code, "nobody vouches for these files" in stranger.err) == (4, True)
    assert isthmus("verify", "acme-other").code == 4


def test_a_release_of_a_stranger_is_taken_and_said_to_be_one(isthmus, bench, release, home):
    shown = isthmus("pull", str(release / "model.gguf"), "--name", "strange")
    assert shown.code == 0
    assert "signed by nobody whom you know" in shown.err
    assert "Nothing is required of this model" in isthmus("verify", "strange").err
