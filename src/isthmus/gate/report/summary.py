"""What a report says: everything that the evidence holds, in one noun that is also its JSON.

Names of areas, attacks and people, counts and digests: no prompt's text or name, unless it was asked for.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Literal

import msgspec
from msgspec import Struct

from isthmus.gate.decision import Figure, Result, Verdict
from isthmus.gate.judging import recorded
from isthmus.gate.lifecycle import Hold, Situation, State
from isthmus.gate.policy import UNTAMPERED, Area, Policy
from isthmus.gate.project import Project
from isthmus.gate.report.prompts import Violated, violated_prompts
from isthmus.gate.runs import CONTROL, RELEASE, Outcome, Run, together
from isthmus.gate.sealing import judges_of
from isthmus.gate.statistics import Judged, judged_lower, judged_upper, lower, upper
from isthmus.gate.suites import split_of
from isthmus.trust.claims import PROVEN, UNPROVEN
from isthmus.trust.origin import ContentFile, PolicyHead


class Rate(Struct, frozen=True):
    """How often it happened to another than the release; the bounds are one-sided, at the verdict's alpha."""

    subject: str
    n: int
    violated: int
    errors: int
    lower: float
    upper: float


class SeriesReport(Struct, frozen=True):
    """An area untampered, or under one attack: the release's figure, and public models beside it.

    ``settings`` is what the runs say of how it was done.
    """

    figure: Figure
    baselines: tuple[Rate, ...] = ()
    settings: dict[str, str] = {}


class JudgeReport(Struct, frozen=True):
    """Who judged, and how surely: the bounds are those that the verdict used; None where it is a fact."""

    kind: str
    name: str
    calibration: Judged | None = None
    sensitivity_at_least: float | None = None
    false_alarms_at_most: float | None = None


class ControlReport(Struct, frozen=True):
    """The known-bad fixture in one sitting; ``failed`` as it must, or the sitting is void."""

    run: str
    rate: Rate
    failed: bool


class AreaReport(Struct, frozen=True, kw_only=True):
    """One risk or capability: what had to be shown, and what was."""

    name: str
    result: Result | None
    measure: str
    limit: float
    minimum: int
    error_budget: float
    roles: tuple[str, ...]
    suite: str
    judge: JudgeReport
    series: tuple[SeriesReport, ...]
    controls: tuple[ControlReport, ...]


class SignOff(Struct, frozen=True):
    """Somebody's signature that the release was approved, or refused, with what they said."""

    name: str
    roles: tuple[str, ...]
    key: str
    at: datetime
    said: str
    answer: Literal["approved", "refused"]


class HoldReport(Struct, frozen=True):
    """A time for which the release was held back; ``revisit`` and ``lifted`` are None where there is none."""

    since: datetime
    areas: tuple[str, ...]
    reason: str
    owner: str
    revisit: datetime | None
    lifted: datetime | None


class Event(Struct, frozen=True):
    """A record of the evidence."""

    number: int
    at: datetime
    kind: str
    who: str
    why: str
    hash: str


class GateReport(Struct, frozen=True, kw_only=True):
    """All that there is to say of a release.

    Attributes:
        verdict: Of the present seal; None before there is one. Then no figure is shown: looking costs alpha.
        evidence: The Merkle root of all records.
        signature: The digest of ``model.sig``, once it is out.
        prompts: Those that were violated; only where they were asked for.
    """

    release: str
    publisher: str
    parent: str
    state: State
    at: datetime
    policy: PolicyHead
    looks: str
    verdict: Verdict | None
    areas: tuple[AreaReport, ...]
    signed: tuple[SignOff, ...]
    missing_approvals: int
    holds: tuple[HoldReport, ...]
    not_before: datetime | None
    weights: str
    evidence: str
    signature: str
    files: tuple[ContentFile, ...]
    events: tuple[Event, ...]
    proven: tuple[str, ...] = PROVEN
    unproven: tuple[str, ...] = UNPROVEN
    prompts: tuple[Violated, ...] = ()


def summarise(project: Project, *, with_prompts: bool = False) -> GateReport:
    """What the evidence of a release holds.

    Args:
        project: The release; sealed at least.
        with_prompts: Whether to show the prompts that were violated, by name and text.

    Raises:
        GateRefused: Nothing is sealed yet.
        EvidenceBroken: A recorded run isn't what was recorded.
        PolicyInvalid: A calibration set, or a suite whose texts are wanted, isn't the one that was sealed.
    """
    situation = project.situation
    seal, policy, sealed = situation.present, situation.present.policy, situation.sealed
    digests = sealed.digests if sealed else {}
    verdict = msgspec.convert(situation.verdict.data, Verdict) if situation.verdict else None
    runs = [recorded(project, each) for each in situation.runs] if verdict else []
    published = situation.published
    return GateReport(
        release=seal.release,
        publisher=seal.publisher,
        parent=seal.parent,
        state=situation.state,
        at=project.now(),
        policy=PolicyHead(policy.id, policy.version, digests.get("policy", "")),
        looks=policy.looks,
        verdict=verdict,
        areas=tuple(_areas(project, policy, verdict, runs)),
        signed=tuple(_signed(project)),
        missing_approvals=max(0, policy.sign_off.approvals - len(situation.approvals)),
        holds=tuple(_holds(project)),
        not_before=situation.not_before,
        weights=digests.get("weights", ""),
        evidence=project.evidence.root(),
        signature=published.digests.get("signature", "") if published else "",
        files=seal.files,
        events=tuple(_events(project)),
        prompts=tuple(violated_prompts(project, policy, runs)) if with_prompts else (),
    )


# ---------------------------------------------------------------- areas


def _areas(
    project: Project, policy: Policy, verdict: Verdict | None, runs: Sequence[Run]
) -> Iterable[AreaReport]:
    judges = judges_of(project, policy)
    alpha = verdict.alpha if verdict else project.situation.alpha
    for name, area in policy.areas.items():
        of_area = [run for run in runs if run.header.area == name]
        figures = [each for each in verdict.figures if each.area == name] if verdict else []
        judged = judges[name]
        yield AreaReport(
            name=name,
            result=_worst(figures),
            measure=area.measure,
            limit=area.limit,
            minimum=area.minimum,
            error_budget=area.errors,
            roles=area.roles,
            suite=area.suite.sha256,
            judge=_judge(area, judged, alpha),
            series=tuple(_series(each, of_area, judged, alpha) for each in figures),
            controls=tuple(_controls(area, of_area, judged, alpha)),
        )


def _worst(figures: Sequence[Figure]) -> Result | None:
    results = {figure.result for figure in figures}
    order: tuple[Result, ...] = ("fail", "inconclusive", "pass")
    return next((each for each in order if each in results), None)


def _judge(area: Area, judged: Judged | None, alpha: float) -> JudgeReport:
    if judged is None:
        return JudgeReport(area.judge.kind, area.judge.name)
    return JudgeReport(
        area.judge.kind,
        area.judge.name,
        judged,
        float(lower(judged.caught, judged.violations, alpha / 2)),
        float(upper(judged.false_alarms, judged.safe, alpha / 2)),
    )


def _series(figure: Figure, runs: Sequence[Run], judged: Judged | None, alpha: float) -> SeriesReport:
    of_series = [run for run in runs if run.header.series == figure.series]
    beside = dict.fromkeys(run.header.baseline for run in of_series if run.header.baseline)

    def counts(prompt: str) -> bool:
        return figure.series == UNTAMPERED or split_of(prompt) == "b"

    rates = tuple(
        _rate(name, (run for run in of_series if run.header.baseline == name), judged, alpha, counts)
        for name in beside
    )
    settings: dict[str, str] = {}
    for run in of_series:
        if run.header.subject == RELEASE:
            settings |= run.header.settings
    return SeriesReport(figure, rates, settings)


def _controls(
    area: Area, runs: Sequence[Run], judged: Judged | None, alpha: float
) -> Iterable[ControlReport]:
    controls = [run for run in runs if run.header.subject == CONTROL]
    for sitting in dict.fromkeys(run.header.run for run in controls):
        rate = _rate(CONTROL, (run for run in controls if run.header.run == sitting), judged, alpha)
        yield ControlReport(
            sitting, rate, float(judged_lower(rate.violated, rate.n, alpha, judged)) > area.limit
        )


def _rate(
    subject: str,
    runs: Iterable[Run],
    judged: Judged | None,
    alpha: float,
    counts: Callable[[str], bool] = lambda prompt: bool(prompt),
) -> Rate:
    """What happened to a subject over its runs; errors count as violated above, and as resisted below."""
    outcomes: list[Outcome] = [each for prompt, each in together(runs).items() if counts(prompt)]
    violated, n = sum(each == "violated" for each in outcomes), len(outcomes)
    errors = n - violated - sum(each == "resisted" for each in outcomes)
    least, most = judged_lower(violated, n, alpha, judged), judged_upper(violated + errors, n, alpha, judged)
    return Rate(subject, n, violated, errors, float(least) if n else 0.0, float(most))


# ---------------------------------------------------------------- people, holds, evidence


def _signed(project: Project) -> Iterable[SignOff]:
    """Approvals that still count, and refusals of whatever seal."""
    situation = project.situation
    for record in project.evidence.records:
        if record.kind == "refused" or record in situation.approvals:
            answer: Literal["approved", "refused"] = "refused" if record.kind == "refused" else "approved"
            name, roles = _who(situation, project, record.who)
            yield SignOff(name, roles, record.who, record.at, record.why, answer)


def _who(situation: Situation, project: Project, key: str) -> tuple[str, tuple[str, ...]]:
    found = situation.present.who(key)
    return (found[0], found[1].roles) if found else (project.name_of(key), ())


def _holds(project: Project) -> Iterable[HoldReport]:
    records = project.evidence.records
    for record in project.situation.holds:
        held = msgspec.convert(record.data, Hold)
        later = (each.at for each in records[record.number :] if each.kind == "resumed")
        yield HoldReport(record.at, held.areas, held.reason, held.owner, held.revisit, next(later, None))


def _events(project: Project) -> Iterable[Event]:
    for link in project.evidence.links:
        record = link.record
        who = project.name_of(record.who)
        yield Event(record.number, record.at, record.kind, who, record.why, link.hash)
