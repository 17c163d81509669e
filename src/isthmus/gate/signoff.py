"""People's part: reviewing, approving, refusing, holding back, and saying when."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from isthmus.errors import GateRefused
from isthmus.gate.lifecycle import Hold
from isthmus.gate.project import Project, Step, write_new
from isthmus.gate.sealing import require_unchanged
from isthmus.signing import Envelope, Signature, SigningKey
from isthmus.signing.statement import PAYLOAD_TYPE, to_json
from isthmus.trust.contents import OnProgress
from isthmus.trust.evidence import Record
from isthmus.trust.origin import PolicyHead
from isthmus.trust.statements import Approval, EvidenceHead, HoldNotice, Postponement


def review(project: Project, key: SigningKey, why: str = "") -> Record:
    """Give a release that passed to its reviewers.

    Raises:
        GateRefused: It hasn't passed.
    """
    return project.add(
        project.draft("review", key, why=why, digests=_digests(project), data=_verdict(project))
    )


def approve(
    project: Project, key: SigningKey, why: str = "", on_progress: OnProgress | None = None
) -> Record:
    """Sign the weights, the policy, the evidence and the decision, all of which are checked first.

    Raises:
        GateRefused: It isn't in review, something was changed since it was sealed, or this key may not: the
            submitter's never may, and none may twice.
    """
    require_unchanged(project, on_progress)
    payload = approval_payload(project)
    signature = Signature.by(key, PAYLOAD_TYPE, payload)
    data = {**_verdict(project), "signature": signature}
    return project.add(project.draft("approved", key, why=why, digests=_digests(project), data=data))


def refuse(project: Project, key: SigningKey, why: str, areas: Sequence[str] = ()) -> tuple[Record, Path]:
    """Refuse to approve, with a reason: the release is held, until somebody lifts that.

    Raises:
        GateRefused: It isn't in review, or this key may not review it, or there is no reason.
    """
    hold = Hold(tuple(areas) or ("review",), why, project.name_of(key.public.id))
    return _hold(project, key, project.draft("refused", key, why=why, data=hold), hold)


def hold(
    project: Project, key: SigningKey, areas: Sequence[str], why: str, *, owner: str, revisit: datetime | None
) -> tuple[Record, Path]:
    """Hold a release back, and write a signed notice of it for the public.

    Args:
        project: The release.
        key: Of whoever holds it back.
        areas: The risks that it is about.
        why: The reason, which the notice tells.
        owner: Who looks after it.
        revisit: When it is looked at again; None: indefinitely.

    Raises:
        GateRefused: It is out already, or there is no reason, or the date is in the past.
    """
    known = project.situation.present.policy.areas
    if strange := [each for each in areas if each not in known]:
        raise GateRefused(f"the sealed policy has no area {strange[0]}", hint=f"it has {', '.join(known)}")
    data = Hold(tuple(areas), why, owner, revisit)
    return _hold(project, key, project.draft("held", key, why=why, data=data), data)


def resume(project: Project, key: SigningKey, why: str) -> Record:
    """Lift a hold: the release is where it was before, but for its approvals, which are given anew.

    Raises:
        GateRefused: It isn't held, or this key is its submitter's.
    """
    if not why:
        raise GateRefused("a hold is lifted for a reason", hint='--why "..."')
    return project.add(project.draft("resumed", key, why=why))


def schedule(project: Project, key: SigningKey, not_before: datetime, why: str = "") -> Record:
    """Say from when on an approved release may be published.

    Raises:
        GateRefused: It isn't approved, or this key isn't its publisher's.
    """
    data = {"not_before": not_before}
    return project.add(project.draft("scheduled", key, why=why, digests=_digests(project), data=data))


# ---------------------------------------------------------------- what is signed


def approval_payload(project: Project) -> bytes:
    """What every reviewer signs: the same bytes for each."""
    return approval_of(project).about(_digests(project)["weights"]).to_bytes()


def approval_of(project: Project) -> Approval:
    """The policy, the evidence and the decision that are approved.

    Raises:
        GateRefused: There is no verdict of pass.
    """
    situation = project.situation
    if situation.verdict is None or situation.outcome != "pass":
        raise GateRefused("there is no verdict of pass to approve", hint="isthmus gate verdict")
    policy, count = situation.present.policy, situation.verdict.number
    return Approval(
        release=situation.present.release,
        policy=PolicyHead(policy.id, policy.version, situation.verdict.digests["policy"]),
        evidence=EvidenceHead(project.evidence.root(count), count),
    )


def approvals_envelope(project: Project) -> Envelope:
    """The reviewers' signatures, in one envelope."""
    signatures = [msgspec.convert(each.data["signature"], Signature) for each in project.situation.approvals]
    return Envelope(approval_payload(project), PAYLOAD_TYPE, tuple(signatures))


def _digests(project: Project) -> dict[str, str]:
    sealed = project.situation.sealed
    if sealed is None:
        raise GateRefused("nothing is sealed yet", hint="isthmus gate seal")
    return {name: sealed.digests[name] for name in ("weights", "policy")}


def _verdict(project: Project) -> dict[str, int]:
    latest = project.situation.verdict
    return {"verdict": latest.number} if latest else {}


# ---------------------------------------------------------------- notices


def _hold(project: Project, key: SigningKey, step: Step, held: Hold) -> tuple[Record, Path]:
    before = tuple(_postponement(each) for each in project.situation.holds)
    record = project.add(step)
    seal = project.situation.present
    notice = HoldNotice(seal.release, record.at, held.areas, held.reason, held.revisit, before)
    path = project.folder / "notices" / f"hold-{len(project.situation.holds):03}.json"
    write_new(path, to_json(notice.about(_digests(project)["weights"]).sealed(key)))
    write_new(path.with_suffix(".md"), notice_text(notice).encode())
    return record, path


def notice_text(notice: HoldNotice) -> str:
    """A hold's notice in words."""
    lines = [
        f"# {notice.release} is held back",
        "",
        f"Since {notice.at:%Y-%m-%d}, {_until(notice.revisit)}, for: {', '.join(notice.areas)}.",
        "",
        notice.reason,
    ]
    if notice.before:
        lines += ["", "Held back before:", ""]
        lines += [
            f"- {each.at:%Y-%m-%d}, {_until(each.revisit)}, for {', '.join(each.areas)}: {each.reason}"
            for each in notice.before
        ]
    return "\n".join(lines) + "\n"


def _postponement(record: Record) -> Postponement:
    held = msgspec.convert(record.data, Hold)
    return Postponement(record.at, held.areas, held.reason, held.revisit)


def _until(revisit: datetime | None) -> str:
    return f"to be looked at again on {revisit:%Y-%m-%d}" if revisit else "indefinitely"
