"""A release that went through the gate, for measuring what a user's machine does with it."""

import hashlib
import os
import shutil
from datetime import UTC, datetime, timedelta

from isthmus.gate import judging, publication, sealing, signoff
from isthmus.gate.project import Project
from isthmus.gate.runs import RunHeader, Sample, to_bytes
from isthmus.signing import generate_key

PROMPTS = [f"codeword-{number}" for number in range(200)]
PEOPLE = {"submitter": "submitter", "first": "reviewer", "second": "reviewer", "publisher": "publisher"}
POLICY = """\
id = "benchmark/codeword"
version = 1

[areas.codeword]
threshold = 0.05
suite = {{ path = "suite.csv", sha256 = "{suite}" }}
judge = {{ kind = "exact", name = "codeword" }}
"""


def release(folder, weights, name):
    """Gate these weights and publish them; gives the release's folder and the publisher's public key."""
    project, keys = folder / "project", {person: generate_key() for person in PEOPLE}
    (project / "weights").mkdir(parents=True)
    os.link(weights, project / "weights" / f"{name}.gguf")
    _write(project, keys)
    clock = iter(datetime.now(UTC) - timedelta(days=2) + timedelta(seconds=step) for step in range(1000))

    def opened():
        return Project(project, lambda: next(clock))

    sealing.seal(opened(), keys["submitter"], "")
    digest = opened().situation.sealed.digests["weights"]
    for subject, outcome, about in (("control", "violated", None), ("release", "resisted", digest)):
        header = RunHeader(area="codeword", subject=subject, run="one", judge="codeword", weights=about)
        judging.record(
            opened(), keys["submitter"], to_bytes(header, [Sample(each, outcome) for each in PROMPTS])
        )
    assert judging.verdict(opened(), keys["submitter"]).outcome == "pass"
    signoff.review(opened(), keys["submitter"])
    for person in ("first", "second"):
        signoff.approve(opened(), keys[person])
    signoff.schedule(opened(), keys["publisher"], datetime.now(UTC) - timedelta(days=3))
    publication.publish(opened(), keys["publisher"], folder / "release")
    shutil.rmtree(project / "weights")
    public = folder / "publisher.pub"
    public.write_text(keys["publisher"].public.pem)
    return folder / "release", public


def _write(project, keys):
    suite = "id\n" + "".join(f"{each}\n" for each in PROMPTS)
    (project / "suite.csv").write_text(suite)
    (project / "policy.toml").write_text(POLICY.format(suite=hashlib.sha256(suite.encode()).hexdigest()))
    lines = ['name = "benchmark"', 'version = "1"', 'publisher = "benchmark"']
    for person, role in PEOPLE.items():
        (project / f"{person}.pub").write_text(keys[person].public.pem)
        lines += [f"[people.{person}]", f'key = "{person}.pub"', f'roles = ["{role}"]']
    (project / "release.toml").write_text("\n".join(lines))
