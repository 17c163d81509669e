"""Fixing what a release is, and what it must show, before anybody looks."""

import hashlib

from isthmus.errors import GateError, GateRefused, PolicyInvalid
from isthmus.gate.lifecycle import Seal
from isthmus.gate.pinned import Pinned, read_pinned
from isthmus.gate.policy import Area, Policy, parse_policy
from isthmus.gate.project import Project
from isthmus.gate.runs import read_calibration
from isthmus.gate.statistics import Judged
from isthmus.gate.suites import Prompts, Question, read_prompts, read_questions
from isthmus.signing import SigningKey
from isthmus.trust.contents import OnProgress, contents_digest, contents_of
from isthmus.trust.evidence import Record
from isthmus.trust.origin import SIGNATURE, ContentFile
from isthmus.trust.statements import CARD, GATE


def seal(project: Project, key: SigningKey, why: str, on_progress: OnProgress | None = None) -> Record:
    """Hash the files, the policy and all that it depends on, and write them down; begins a look.

    Args:
        project: The release.
        key: The submitter's.
        why: What this seal is for; needed where the policy asks less than the one before it.
        on_progress: Told of bytes hashed.

    Raises:
        GateRefused: Not in this state, not by this person, or not without a reason.
        PolicyInvalid: The policy, or a file that it names, isn't what it should be.
        ReleaseRefused: The files hold a link.
    """
    content = project.read(project.release.policy, "the policy")
    policy = parse_policy(content)
    prompts = prompts_of(project, policy)
    judges_of(project, policy)
    files = contents_of(project.files, on_progress)
    _require_free_names(files)
    sealed = Seal(
        name=project.release.name,
        version=project.release.version,
        publisher=project.release.publisher,
        files=files,
        policy=policy,
        suites={area: each.digest for area, each in prompts.items()},
        people=project.people,
        parent=project.release.parent,
    )
    digests = {"weights": contents_digest(files), "policy": hashlib.sha256(content).hexdigest()}
    step = project.draft("sealed", key, why=why, digests=digests, data={"seal": sealed})
    return project.add(step)


def require_unchanged(project: Project, on_progress: OnProgress | None = None) -> dict[str, str]:
    """Make sure that everything is as it was sealed; gives the digests that later records name.

    Raises:
        GateRefused: Something was changed since, or nothing is sealed.
    """
    situation = project.situation
    present, sealed = situation.present, situation.sealed
    if sealed is None:
        raise GateRefused("nothing is sealed yet", hint="isthmus gate seal")
    content = project.read(project.release.policy, "the policy")
    again = 'isthmus gate seal --why "..." begins again'
    if hashlib.sha256(content).hexdigest() != sealed.digests["policy"]:
        raise GateRefused("the policy was changed since it was sealed", hint=again)
    try:
        prompts_of(project, present.policy)
        judges_of(project, present.policy)
    except PolicyInvalid as error:
        raise GateRefused(f"{error}, and it was sealed", hint=again) from error
    if contents_digest(contents_of(project.files, on_progress)) != sealed.digests["weights"]:
        raise GateRefused("the files were changed since they were sealed", hint=again)
    if project.release.version != present.version or project.release.name != present.name:
        raise GateRefused("the release was renamed since it was sealed", hint=again)
    return {name: sealed.digests[name] for name in ("weights", "policy")}


def prompts_of(project: Project, policy: Policy) -> dict[str, Prompts]:
    """The prompts of each area.

    Raises:
        PolicyInvalid: A suite isn't the file that the policy names by its digest, or can't be read.
    """
    return {name: area_prompts(project, name, area) for name, area in policy.areas.items()}


def area_prompts(project: Project, name: str, area: Area) -> Prompts:
    """The prompts of an area.

    Raises:
        PolicyInvalid: The suite isn't the file that the policy names by its digest, or can't be read.
    """
    return read_prompts(area.suite, pinned_content(project, area.suite, f"the suite of {name}"))


def area_questions(project: Project, name: str, area: Area) -> tuple[Question, ...]:
    """The prompts of an area as they are asked.

    Raises:
        PolicyInvalid: As `area_prompts`, or a row has nothing to ask.
    """
    return read_questions(area.suite, pinned_content(project, area.suite, f"the suite of {name}"))


def judge_prompt(project: Project, name: str, area: Area) -> str:
    """What the judge of an area is asked; empty where it is a rule.

    Raises:
        PolicyInvalid: It isn't the file that the policy names by its digest, or no text.
    """
    if area.judge.prompt is None:
        return ""
    content = pinned_content(project, area.judge.prompt, f"the judge's prompt of {name}")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise PolicyInvalid(f"the judge's prompt of {name} is no text in UTF-8") from error


def judges_of(project: Project, policy: Policy) -> dict[str, Judged | None]:
    """How each area's judge did on its calibration set; None where the outcome is a fact.

    Raises:
        PolicyInvalid: A set isn't the file that the policy names by its digest, or can't be read.
    """
    found: dict[str, Judged | None] = {}
    for name, area in policy.areas.items():
        pinned = area.judge.calibration
        found[name] = None
        judge_prompt(project, name, area)
        if area.judge.kind != "exact" and pinned is not None:
            content = pinned_content(project, pinned, f"the calibration set of {name}")
            try:
                found[name] = read_calibration(content)
            except GateError as error:
                raise PolicyInvalid(f"{name}: {error}", hint=error.hint) from error
    return found


def pinned_content(project: Project, pinned: Pinned, what: str) -> bytes:
    """A file that the policy names by its digest; paths are from the policy's folder.

    Raises:
        PolicyInvalid: It can't be read, or is another.
    """
    return read_pinned(pinned, project.policy_path.parent, what)


def _require_free_names(files: tuple[ContentFile, ...]) -> None:
    for file in files:
        name = file.name
        if name in (CARD, SIGNATURE) or name.startswith(GATE):
            raise GateRefused(f"{name} is a name that the gate itself writes", hint=f"rename {name}")
        if any(part.startswith(".git") for part in name.split("/")):
            raise GateRefused(
                f"{name} belongs to Git, and other tools don't check such files", hint=f"remove {name}"
            )
