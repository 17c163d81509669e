"""What a release must show: the policy file, and what makes one policy looser than another.

The file is TOML; `isthmus gate init` writes a commented one, and `isthmus gate schema policy` prints what can
stand in it. Suites and calibration sets are named by path and SHA-256: they are the publisher's own.
"""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from isthmus.errors import PolicyInvalid
from isthmus.gate.statistics import Looks

Name = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9_-]{0,63}$")]
Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Share = Annotated[float, Meta(gt=0, lt=1)]

UNTAMPERED = "none"
"""The series of the model as it is released."""


class Pinned(Struct, frozen=True, forbid_unknown_fields=True):
    """A file that the policy depends on, by its digest."""

    path: Annotated[str, Meta(description="Where it lies, from the policy's folder.", min_length=1)]
    sha256: Annotated[Digest, Meta(description="Its SHA-256: another file in its place is refused.")]


class Suite(Pinned, frozen=True, forbid_unknown_fields=True):
    """The prompts of an area: a CSV or JSONL file of the publisher's, one prompt a row."""

    id: Annotated[str, Meta(description="The column that names a prompt.", min_length=1)] = "id"


class Judge(Struct, frozen=True, forbid_unknown_fields=True):
    """Who says what an answer is."""

    kind: Annotated[
        Literal["exact", "rubric", "classifier"],
        Meta(
            description="exact: the outcome is a fact (a codeword, a test, a choice). rubric and classifier "
            "are opinions and need a calibration set. Matching keywords of refusals is no judge."
        ),
    ]
    name: Annotated[str, Meta(description="Its model and version, as runs name it.", min_length=1)]
    calibration: Annotated[
        Pinned | None,
        Meta(description="Its answers on prompts whose truth people have settled (JSONL)."),
    ] = None


class Baseline(Struct, frozen=True, forbid_unknown_fields=True):
    """A public model that is out already: what a release adds to the risk is measured against it."""

    margin: Annotated[
        float,
        Meta(ge=0, lt=1, description="By how much more often the release may violate, tampered with alike."),
    ]


class Area(Struct, frozen=True, forbid_unknown_fields=True):
    """One risk, or one capability, and what must be shown of it."""

    threshold: Annotated[
        Share,
        Meta(description="violation, ceiling: the highest rate that passes. floor: the lowest that does."),
    ]
    suite: Suite
    judge: Judge
    measure: Annotated[
        Literal["violation", "ceiling", "floor"],
        Meta(
            description="violation: how often it does what it mustn't. ceiling: how often it can do what "
            "nobody should be able to. floor: how often it still does what it should."
        ),
    ] = "violation"
    minimum: Annotated[int, Meta(ge=1, description="Prompts below which nothing is decided.")] = 1
    errors: Annotated[
        float,
        Meta(ge=0, lt=1, description="The share of errors and unparsed answers that is put up with."),
    ] = 0.02
    tampering: Annotated[
        tuple[Name, ...], Meta(description="Attacks that it must withstand, too, by their names.")
    ] = ()
    baselines: Annotated[dict[str, Baseline], Meta(description="Public models beside it, by name.")] = {}
    roles: Annotated[tuple[Name, ...], Meta(description="Roles that must have signed.")] = ()

    @property
    def limit(self) -> float:
        """The highest rate of the bad event that passes; of a floor, it is the rate of failing."""
        return 1 - self.threshold if self.measure == "floor" else self.threshold

    @property
    def series(self) -> tuple[str, ...]:
        """What it is measured under: untampered, then under each attack."""
        return (UNTAMPERED, *self.tampering)


class SignOff(Struct, frozen=True, forbid_unknown_fields=True):
    """Whose signatures a release needs, beside its submitter's."""

    approvals: Annotated[
        int, Meta(ge=2, le=32, description="Distinct keys; the submitter's never counts.")
    ] = 2
    roles: Annotated[tuple[Name, ...], Meta(description="Roles that must be among the signers.")] = ()


class Policy(Struct, frozen=True, forbid_unknown_fields=True):
    """What a release must show before its weights may go out."""

    id: Annotated[
        str, Meta(description="Its name, which users pin.", pattern="^[A-Za-z0-9][A-Za-z0-9._/-]*$")
    ]
    version: Annotated[int, Meta(ge=1, description="Goes up with every change.")]
    areas: Annotated[dict[Name, Area], Meta(description="All of them must pass.", min_length=1)]
    alpha: Annotated[
        float, Meta(gt=0, le=0.2, description="The chance of passing at a rate above a threshold, at most.")
    ] = 0.05
    looks: Annotated[
        Looks,
        Meta(
            description="How retries spend alpha. one: all of it at the first look, and no second chance. "
            "spending: alpha / (k (k + 1)) at look k."
        ),
    ] = "one"
    capability_loss: Annotated[
        float,
        Meta(ge=0, lt=1, description="An attack that costs more of the model's ability than this is none."),
    ] = 0.1
    sign_off: SignOff = SignOff()

    @property
    def roles(self) -> tuple[str, ...]:
        """All roles that must have signed, each once."""
        named = (*self.sign_off.roles, *(role for area in self.areas.values() for role in area.roles))
        return tuple(dict.fromkeys(named))


def parse_policy(content: bytes) -> Policy:
    """A policy file.

    Raises:
        PolicyInvalid: It is malformed, or asks for what can't be decided.
    """
    try:
        policy = msgspec.toml.decode(content, type=Policy)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        reason = str(error)[:1].lower() + str(error)[1:]
        raise PolicyInvalid(
            f"the policy can't be read: {reason}",
            hint="isthmus gate schema policy prints what can stand in it",
        ) from error
    for name, area in policy.areas.items():
        _check_area(name, area)
    return policy


def read_policy(path: Path) -> Policy:
    """The policy in a file.

    Raises:
        PolicyInvalid: It can't be read, is malformed, or asks for what can't be decided.
    """
    try:
        return parse_policy(path.read_bytes())
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise PolicyInvalid(f"the policy {path} can't be read: {why}", hint="isthmus gate init") from error


def _check_area(name: str, area: Area) -> None:
    if area.judge.kind != "exact" and area.judge.calibration is None:
        raise PolicyInvalid(
            f"the {area.judge.kind} judge of {name} has no calibration set: nobody knows what it misses",
            hint=f"[areas.{name}.judge] calibration = {{ path = ..., sha256 = ... }}",
        )
    if area.measure == "floor" and area.judge.kind != "exact":
        raise PolicyInvalid(f"{name} is a floor, and floors are measured by facts: its judge must be exact")
    if len(set(area.series)) != len(area.series):
        raise PolicyInvalid(f"{name} names an attack twice, or one that is called {UNTAMPERED}")
    if area.baselines and area.measure == "floor":
        raise PolicyInvalid(f"{name} is a floor: baselines stand beside risks")


# ---------------------------------------------------------------- looser


def loosened(old: Policy, new: Policy) -> list[str]:
    """In what ways a policy asks less than the one before it; empty where it asks as much or more."""
    found = _fewer("role", old.roles, new.roles)
    found += [f"area {name} is gone" for name in old.areas if name not in new.areas]
    if new.alpha > old.alpha:
        found.append(f"alpha rises from {old.alpha:g} to {new.alpha:g}")
    if new.capability_loss > old.capability_loss:
        found.append(f"attacks may cost {new.capability_loss:g} of ability, not {old.capability_loss:g}")
    if new.sign_off.approvals < old.sign_off.approvals:
        found.append(f"approvals fall from {old.sign_off.approvals} to {new.sign_off.approvals}")
    for name, area in old.areas.items():
        if name in new.areas:
            found += [f"{name}: {each}" for each in _looser_area(area, new.areas[name])]
    return found


def _looser_area(old: Area, new: Area) -> list[str]:
    found = _fewer("attack", old.tampering, new.tampering) + _fewer("baseline", old.baselines, new.baselines)
    if new.measure != old.measure:
        found.append(f"it is a {new.measure}, no longer a {old.measure}")
    elif new.limit > old.limit:
        found.append(f"the threshold moves from {old.threshold:g} to {new.threshold:g}")
    if new.minimum < old.minimum:
        found.append(f"the least number of prompts falls from {old.minimum} to {new.minimum}")
    if new.errors > old.errors:
        found.append(f"the budget of errors rises from {old.errors:g} to {new.errors:g}")
    if new.suite.sha256 != old.suite.sha256 or new.suite.id != old.suite.id:
        found.append("the suite is another")
    if new.judge != old.judge:
        found.append("the judge, or its calibration set, is another")
    kept = [name for name in old.baselines if name in new.baselines]
    wider = [name for name in kept if new.baselines[name].margin > old.baselines[name].margin]
    return found + [f"the margin over {name} rises" for name in wider]


def _fewer(what: str, old: Iterable[str], new: Collection[str]) -> list[str]:
    return [f"{what} {each} is gone" for each in old if each not in new]
