"""From files to a verdict: recording runs, and deciding by what was recorded."""

import hashlib

import msgspec

from isthmus.errors import EvidenceBroken, GateRefused
from isthmus.gate.decision import Facts, Verdict, decide
from isthmus.gate.policy import Area, Policy
from isthmus.gate.project import Project, write_new
from isthmus.gate.runs import RELEASE, Run, RunHeader, read_run, require_known
from isthmus.gate.sealing import area_prompts, judges_of, prompts_of, require_unchanged
from isthmus.gate.signoff import hold
from isthmus.gate.statistics import alpha_at
from isthmus.signing import SigningKey
from isthmus.trust.contents import OnProgress
from isthmus.trust.evidence import Record


def record(project: Project, key: SigningKey, content: bytes, header: RunHeader | None = None) -> Record:
    """Take a run's outcomes into the evidence.

    Args:
        project: The release.
        key: Of whoever ran it.
        content: The run's file.
        header: What it is of, where the file doesn't say.

    Raises:
        GateError: The file is malformed.
        GateRefused: It isn't of what was sealed.
        EvidenceBroken: It has prompts that aren't in the sealed suite.
    """
    run = read_run(content, header)
    seal, sealed = project.situation.present, project.situation.sealed
    weights = sealed.digests["weights"] if sealed else ""
    _require_of_policy(run.header, seal.policy, weights)
    prompts = area_prompts(project, run.header.area, seal.policy.areas[run.header.area])
    if prompts.digest != seal.suites[run.header.area]:
        raise GateRefused("the suite isn't the one that was sealed", hint="isthmus gate seal")
    require_known(run, prompts.ids)
    if any(each.digests["run"] == run.sha256 for each in project.situation.runs):
        raise GateRefused("this run has been recorded already")
    counts = {name: run.count(name) for name in ("violated", "resisted", "error", "unparsed")}
    digests = {**(sealed.digests if sealed else {}), "run": run.sha256}
    data = {"header": run.header, "samples": run.samples, "prompts": len(run.outcomes), **counts}
    step = project.draft("run", key, digests=digests, data=data)
    path = project.run_path(run.sha256)
    if not path.exists():
        write_new(path, content)
    return project.add(step)


def verdict(project: Project, key: SigningKey, on_progress: OnProgress | None = None) -> Verdict:
    """Decide by what was recorded, and write the verdict down; an inconclusive one is held.

    Raises:
        GateRefused: Something was changed since it was sealed, no alpha is left, or nothing is new.
        EvidenceBroken: A recorded run isn't what was recorded.
    """
    digests = require_unchanged(project, on_progress)
    situation = project.situation
    policy = situation.present.policy
    look, alpha = situation.look, alpha_at(situation.look, policy.alpha, policy.looks)
    if alpha <= 0:
        raise GateRefused(f"the policy gives all of alpha to the first look, and this would be look {look}")
    found = decide(facts_of(project), look, alpha)
    evidence = {**digests, "evidence": project.evidence.root()}
    project.add(project.draft("verdict", key, digests=evidence, data=found))
    if found.outcome == "inconclusive":
        _hold(project, key, found)
    return found


def facts_of(project: Project) -> Facts:
    """What a verdict is made of, read again and held against the evidence.

    Raises:
        GateRefused: Nothing is sealed.
        EvidenceBroken: A recorded run isn't what was recorded.
    """
    policy = project.situation.present.policy
    return Facts(
        policy=policy,
        prompts=prompts_of(project, policy),
        judges=judges_of(project, policy),
        runs=[recorded(project, each) for each in project.situation.runs],
    )


def recorded(project: Project, entry: Record) -> Run:
    """A run that was recorded, read again.

    Raises:
        EvidenceBroken: Its outcomes are gone, or were changed.
    """
    digest = entry.digests["run"]
    path = project.run_path(digest)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise EvidenceBroken(f"the outcomes of record {entry.number} are gone: {path}") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise EvidenceBroken(f"the outcomes of record {entry.number} were changed: {path}")
    header = msgspec.convert(entry.data["header"], RunHeader)
    run = read_run(content, None if b'"format"' in content.partition(b"\n")[0] else header)
    if run.header != header:
        raise EvidenceBroken(f"record {entry.number} says that its run is of something else")
    return run


def _require_of_policy(header: RunHeader, policy: Policy, weights: str) -> None:
    """Make sure that a run is of what was sealed."""
    area: Area | None = policy.areas.get(header.area)
    if area is None:
        raise GateRefused(
            f"the sealed policy has no area {header.area}", hint=f"it has {', '.join(policy.areas)}"
        )
    if header.series not in area.series:
        raise GateRefused(f"{header.area} names no attack {header.series}", hint=f"{', '.join(area.series)}")
    if header.judge != area.judge.name:
        raise GateRefused(
            f"the run was judged by {header.judge}, and {header.area} is judged by {area.judge.name}"
        )
    if header.baseline is not None and header.baseline not in area.baselines:
        raise GateRefused(f"{header.area} names no baseline {header.baseline}")
    if header.subject == RELEASE and header.weights != weights:
        raise GateRefused(
            "the run is of other weights than were sealed",
            hint=f"those that were have the digest {weights}",
        )


def _hold(project: Project, key: SigningKey, found: Verdict) -> None:
    areas = tuple(dict.fromkeys(each.area for each in found.figures if each.result != "pass"))
    reason = "; ".join(found.reasons[:3]) or "the evidence is inconclusive"
    areas = areas or tuple(project.situation.present.policy.areas)  # a void run leaves no figure in doubt
    hold(project, key, areas, reason, owner=project.name_of(key.public.id), revisit=None)
