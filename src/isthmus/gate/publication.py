"""Publishing: a folder that holds the release, its evidence and its signatures, and nothing else."""

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from isthmus.errors import GateRefused, StorageError
from isthmus.gate.card import model_card
from isthmus.gate.decision import Figure, Verdict
from isthmus.gate.project import Project, write_new
from isthmus.gate.registry import RegistryTarget
from isthmus.gate.sealing import require_unchanged
from isthmus.gate.signoff import approval_of, approvals_envelope
from isthmus.signing import Bundle, ResourceDescriptor, SigningKey, Statement
from isthmus.signing.bundle import require_nist
from isthmus.signing.statement import to_json
from isthmus.store.disk import require_space, storage_errors
from isthmus.trust.contents import OnProgress, contents_of, hash_member, state_contents
from isthmus.trust.evidence import Record
from isthmus.trust.folder import check_folder
from isthmus.trust.origin import SIGNATURE, ContentFile, Proof
from isthmus.trust.statements import (
    APPROVALS,
    CARD,
    DECISION,
    DECISION_TYPE,
    EVIDENCE,
    GATE,
    LEVEL,
    PEOPLE,
    POLICY,
    TEST_TYPE,
    TESTS,
    VERIFIER,
    Decision,
    Particulars,
    TestResult,
)

_RESULTS: dict[str, Any] = {"pass": "PASSED", "fail": "FAILED", "inconclusive": "WARNED"}


def publish(
    project: Project,
    key: SigningKey,
    target: Path | None,
    on_progress: OnProgress | None = None,
    *,
    registries: Sequence[RegistryTarget] = (),
) -> tuple[Record, Proof]:
    """Write the release to a folder, sign it, check it as a user's machine will, and let it out.

    A folder appears whole, under a name of its own, or not at all, and so does a tag in a registry. All
    places get the very same bytes; the record is written once all have them.

    Args:
        project: The release.
        key: The publisher's; ECDSA, so that Model Signing's tool can check it too.
        target: A folder to publish to; it mustn't be there yet.
        on_progress: Told of bytes hashed and sent.
        registries: Registries to publish to; their tags mustn't be there yet.

    Raises:
        GateRefused: It isn't scheduled, or not yet due; this key isn't its publisher's; or something was
            changed since it was sealed.
        SignatureInvalid: Model Signing knows no such keys.
        StorageError: The folder or a tag is there, or can't be written.
        FetchError: A registry can't be reached, or refuses.
    """
    require_nist(key.public)
    digests = require_unchanged(project, on_progress)
    project.draft("published", key, digests=digests)  # whether it may, before anything is written
    if target is not None and target.exists():
        raise StorageError(f"{target} is there already", hint="name a folder that isn't")
    partial = target.with_name(f".{target.name}.part") if target else project.folder / ".publishing.part"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        _write(project, key, partial)
        proof = check_folder(partial, [key.public], project.now(), on_progress)
        digests["signature"] = hash_member(partial, SIGNATURE).sha256
        places = [_push(project, each, partial, proof, on_progress) for each in registries]
        step = project.draft(
            "published", key, digests=digests, data={"registries": places} if places else None
        )
        if target is not None:
            with storage_errors(target):
                partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return project.add(step), proof


def _push(
    project: Project, target: RegistryTarget, folder: Path, proof: Proof, on_progress: OnProgress | None
) -> str:
    """Push to a registry; gives the reference that names these bytes alone."""
    manifest = target.push(folder, project.situation.present, proof, project.now(), on_progress)
    return str(msgspec.structs.replace(target.reference, digest=manifest))


def _write(project: Project, key: SigningKey, folder: Path) -> None:
    """Copy the files, write the statements in their order, and sign all of it."""
    seal, now = project.situation.present, project.now()
    require_space(folder.parent, sum(file.size_bytes for file in seal.files), f"a copy of {seal.release}")
    with storage_errors(folder):
        shutil.copytree(project.files, folder)
    write_new(folder / CARD, model_card(project).encode())
    write_new(folder / POLICY, project.read(project.release.policy, "the policy"))
    write_new(folder / EVIDENCE, project.evidence.to_bytes())
    write_new(folder / PEOPLE, msgspec.json.format(to_json(seal.people)) + b"\n")
    write_new(folder / APPROVALS, to_json(approvals_envelope(project)))
    for area in seal.policy.areas:
        write_new(folder / f"{TESTS}{area}.json", to_json(_test_result(project, area).sealed(key)))
    write_new(folder / DECISION, to_json(_decision(project, folder, now).sealed(key)))
    signed = state_contents(seal.release, contents_of(folder), SIGNATURE)
    write_new(folder / SIGNATURE, Bundle.of(signed, key).to_bytes())


def _decision(project: Project, folder: Path, now: datetime) -> Statement:
    """The policy's decision over the digest of every file that is released, the card among them."""
    situation, approval = project.situation, approval_of(project)
    seal, files = situation.present, contents_of(folder)
    verdict = msgspec.convert(situation.verdict.data, Verdict) if situation.verdict else None
    if verdict is None or situation.sealed is None:
        raise GateRefused("there is no verdict to publish")
    decision = Decision(
        verifier={"id": VERIFIER},
        time_verified=now,
        resource_uri=seal.release,
        policy=ResourceDescriptor(uri=approval.policy.id, digest={"sha256": approval.policy.sha256}),
        input_attestations=tuple(
            ResourceDescriptor(uri=file.name, digest={"sha256": file.sha256})
            for file in files
            if file.name == APPROVALS or file.name.startswith(TESTS)
        ),
        verification_result="PASSED",
        verified_levels=(LEVEL,),
        isthmus=Particulars(
            policy_version=approval.policy.version,
            evidence=approval.evidence,
            weights=situation.sealed.digests["weights"],
            look=verdict.look,
            alpha=verdict.alpha,
            not_before=situation.not_before or now.astimezone(UTC),
            parent=seal.parent,
        ),
    )
    subjects = [_resource(file) for file in files if not file.name.startswith(GATE)]
    return Statement.of(subjects, DECISION_TYPE, decision)


def _test_result(project: Project, area: str) -> Statement:
    """How an area did, under each attack, over the digest of every sealed file."""
    situation = project.situation
    verdict = msgspec.convert(situation.verdict.data if situation.verdict else {}, Verdict)
    figures: list[Figure] = [each for each in verdict.figures if each.area == area]
    results = {each.result for each in figures}
    worst = next(each for each in ("fail", "inconclusive", "pass") if each in results)
    suite = situation.present.policy.areas[area].suite
    result = TestResult(
        result=_RESULTS[worst],
        configuration=(ResourceDescriptor(name=f"suite of {area}", digest={"sha256": suite.sha256}),),
        passed_tests=tuple(each.series for each in figures if each.result == "pass"),
        failed_tests=tuple(each.series for each in figures if each.result == "fail"),
        isthmus=tuple(msgspec.to_builtins(each) for each in figures),
    )
    return Statement.of([_resource(file) for file in situation.present.files], TEST_TYPE, result)


def _resource(file: ContentFile) -> ResourceDescriptor:
    return ResourceDescriptor(file.name, {"sha256": file.sha256})
