"""The states of a release, and who may take it from one to the next.

A release's state is what its evidence adds up to: `replay` walks the records from the first, and each must be
allowed where it stands. The same rules refuse a command before anything is written, and a log that somebody
wrote by hand.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal, TypeAlias, get_args

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from isthmus.errors import EvidenceBroken, GateRefused
from isthmus.gate.loosening import loosened
from isthmus.gate.policy import Policy
from isthmus.gate.statistics import alpha_at
from isthmus.trust.evidence import Evidence, Kind, Record
from isthmus.trust.origin import ContentFile, Time
from isthmus.trust.statements import Person

State: TypeAlias = Literal[
    "draft", "sealed", "evaluating", "pass", "fail", "inconclusive", "review", "held", "approved",
    "scheduled", "published", "advised", "withdrawn",
]  # fmt: skip
STATES: tuple[State, ...] = get_args(State)


def _states(*names: State) -> frozenset[State]:
    return frozenset(names)


SUBMITTER, PUBLISHER, REVIEWER = "submitter", "publisher", "reviewer"
_OUT: frozenset[State] = frozenset({"published", "advised"})
_OPEN: frozenset[State] = frozenset(STATES) - _OUT - {"draft", "held", "withdrawn"}
"""The states in which the weights are still in, and nobody holds them back."""

ALLOWED: Mapping[Kind, frozenset[State]] = {
    "sealed": _OPEN | _states("draft"),
    "run": _states("sealed", "evaluating"),
    "verdict": _states("evaluating"),
    "review": _states("pass"),
    "approved": _states("review"),
    "refused": _states("review", "approved", "scheduled"),
    "held": _OPEN,
    "resumed": _states("held"),
    "scheduled": _states("approved", "scheduled"),
    "published": _states("scheduled"),
    "advised": _OUT,
    "withdrawn": _OUT,
}
"""In which states each record may be added."""


class Seal(Struct, frozen=True, kw_only=True):
    """What was fixed before any run.

    Attributes:
        files: What is to be released.
        policy: All of it, so that a later one can be compared.
        suites: The digest of each area's prompts' names.
        people: Whose keys may do what.
        parent: The digest of the release that this one was derived from; empty for an original.
    """

    name: str
    version: str
    publisher: str
    files: tuple[ContentFile, ...]
    policy: Policy
    suites: dict[str, str]
    people: dict[str, Person]
    parent: str = ""

    @property
    def release(self) -> str:
        """The name and version, as one."""
        return f"{self.name}@{self.version}"

    def who(self, key: str) -> tuple[str, Person] | None:
        """The person with a key's id."""
        found = ((name, person) for name, person in self.people.items() if person.public.id == key)
        return next(found, None)


class Hold(Struct, frozen=True):
    """Why a release is held back, by whom it is looked after, and until when; indefinitely without a date."""

    areas: tuple[str, ...]
    reason: str
    owner: str
    revisit: Time | None = None


class Situation(Struct, frozen=True, kw_only=True):
    """What a release's records add up to.

    Attributes:
        looks: Looks begun so far, over all seals of the lineage: each spends alpha.
        looked: Whether the present look has had its verdict.
        runs: Those of the present seal.
        verdict: The present seal's latest.
        approvals: Those that still count.
    """

    state: State = "draft"
    seal: Seal | None = None
    sealed: Record | None = None
    looks: int = 0
    looked: bool = False
    runs: tuple[Record, ...] = ()
    verdict: Record | None = None
    approvals: tuple[Record, ...] = ()
    holds: tuple[Record, ...] = ()
    schedule: Record | None = None
    published: Record | None = None

    @property
    def present(self) -> Seal:
        """The seal.

        Raises:
            GateRefused: There is none yet.
        """
        if self.seal is None:
            raise GateRefused("nothing is sealed yet", hint="isthmus gate seal")
        return self.seal

    @property
    def look(self) -> int:
        """The look that the next verdict is: one that follows another of the same seal is a new one."""
        return self.looks + self.looked

    @property
    def alpha(self) -> float:
        """What the next verdict may spend."""
        policy = self.present.policy
        return alpha_at(self.look, policy.alpha, policy.looks)

    @property
    def hold(self) -> Hold | None:
        """The present hold."""
        return msgspec.convert(self.holds[-1].data, Hold) if self.state == "held" else None

    @property
    def not_before(self) -> datetime | None:
        """When the release may be published."""
        return msgspec.convert(self.schedule.data["not_before"], Time) if self.schedule else None

    @property
    def outcome(self) -> str | None:
        """The present seal's verdict."""
        return self.verdict.data.get("outcome") if self.verdict else None


def replay(evidence: Evidence) -> Situation:
    """What the records add up to.

    Raises:
        EvidenceBroken: One of them isn't allowed where it stands.
    """
    situation = Situation()
    for record in evidence.records:
        try:
            situation = after(situation, record)
        except GateRefused as error:
            raise EvidenceBroken(f"record {record.number} should not be: {error}") from error
        except (msgspec.ValidationError, KeyError) as error:
            raise EvidenceBroken(f"record {record.number} makes no sense: {error}") from error
    return situation


def after(situation: Situation, record: Record) -> Situation:
    """The situation once a record is added.

    Raises:
        GateRefused: It may not be: not in this state, not by this person, not yet.
    """
    if situation.state not in ALLOWED[record.kind]:
        allowed = " or ".join(state for state in STATES if state in ALLOWED[record.kind])
        done = _PAST.get(record.kind, record.kind)
        raise GateRefused(
            f"the release is {situation.state}; only one that is {allowed} can be {done}",
            hint="isthmus gate status",
        )
    return _APPLY[record.kind](situation, record)


_PAST: Mapping[str, str] = {"run": "evaluated", "verdict": "judged", "review": "given to its reviewers"}
"""What a record does to a release, where its name isn't the word for it."""


# ---------------------------------------------------------------- who


def _person(situation: Situation, record: Record) -> tuple[str, Person]:
    found = situation.present.who(record.who)
    if found is None:
        raise GateRefused(
            "that key is nobody's of those who were sealed with the release",
            hint="name its holder under [people] in release.toml, then: isthmus gate seal",
        )
    return found


def _require_other_than_submitter(situation: Situation, record: Record, what: str) -> tuple[str, Person]:
    name, person = _person(situation, record)
    sealed = situation.sealed
    if (sealed and record.who == sealed.who) or SUBMITTER in person.roles:
        raise GateRefused(f"{name} submitted the release, and somebody else has to {what}")
    return name, person


def _require_role(situation: Situation, record: Record, role: str) -> None:
    name, person = _person(situation, record)
    if role not in person.roles:
        raise GateRefused(f"{name} isn't its {role}", hint=f"whose --key has the role {role}?")


def _require_about(situation: Situation, record: Record) -> None:
    """Make sure that a record is about what was sealed, and what was judged."""
    sealed, verdict = situation.sealed, situation.verdict
    for name in ("weights", "policy"):
        if sealed and record.digests.get(name) != sealed.digests[name]:
            raise GateRefused(f"it is about other {name} than were sealed", hint="isthmus gate seal")
    if verdict and record.kind in _SIGN_OFF and record.data.get("verdict") != verdict.number:
        raise GateRefused("it is about another verdict than the latest")


_SIGN_OFF: frozenset[Kind] = frozenset({"review", "approved"})


# ---------------------------------------------------------------- what each record does


def _sealed(situation: Situation, record: Record) -> Situation:
    seal = msgspec.convert(record.data["seal"], Seal)
    found = seal.who(record.who)
    if found is None or SUBMITTER not in found[1].roles:
        raise GateRefused(
            "a release is sealed by its submitter",
            hint=f'[people.NAME] roles = ["{SUBMITTER}"] in release.toml',
        )
    looks = situation.looks + 1
    before = situation.seal.policy if situation.seal else None
    if before and (seal.policy.looks != before.looks or seal.policy.alpha > before.alpha):
        raise GateRefused("how alpha is spent was settled by the first seal, and can't be changed after it")
    if alpha_at(looks, seal.policy.alpha, seal.policy.looks) <= 0:
        raise GateRefused(
            f"the policy gives all of alpha to the first look, and this would be look {looks}: it can't pass",
            hint='looks = "spending" in the policy of another release leaves something for retries',
        )
    if before and not record.why and (looser := loosened(before, seal.policy)):
        raise GateRefused(
            f"the policy asks less than the one before it ({'; '.join(looser)}), and nobody says why",
            hint='isthmus gate seal --why "..." signs a reason',
        )
    return Situation(state="sealed", seal=seal, sealed=record, looks=looks, holds=situation.holds)


def _run(situation: Situation, record: Record) -> Situation:
    _person(situation, record)
    _require_about(situation, record)
    return replace(situation, state="evaluating", runs=(*situation.runs, record))


def _verdict(situation: Situation, record: Record) -> Situation:
    _person(situation, record)
    _require_about(situation, record)
    if (record.data["look"], record.data["alpha"]) != (situation.look, situation.alpha):
        raise GateRefused(f"it was judged as look {record.data['look']}, and it is look {situation.look}")
    if situation.verdict and situation.runs[-1].number < situation.verdict.number:
        raise GateRefused("nothing was recorded since the last verdict", hint="isthmus gate record FILE")
    state: State = msgspec.convert(record.data["outcome"], Literal["pass", "fail", "inconclusive"])
    return replace(situation, state=state, verdict=record, looks=situation.look, looked=True)


def _review(situation: Situation, record: Record) -> Situation:
    _person(situation, record)
    _require_about(situation, record)
    return replace(situation, state="review", approvals=())


def _approved(situation: Situation, record: Record) -> Situation:
    name, person = _require_other_than_submitter(situation, record, "approve it")
    _require_about(situation, record)
    policy = situation.present.policy
    if not {REVIEWER, *policy.roles} & set(person.roles):
        raise GateRefused(f"{name} reviews nothing here: their roles are {', '.join(person.roles) or 'none'}")
    if record.who in {each.who for each in situation.approvals}:
        raise GateRefused(f"{name} has approved it already: one key counts once")
    approvals = (*situation.approvals, record)
    done = len(approvals) >= policy.sign_off.approvals and not missing_roles(situation.present, approvals)
    return replace(situation, state="approved" if done else "review", approvals=approvals)


def _refused(situation: Situation, record: Record) -> Situation:
    _require_other_than_submitter(situation, record, "review it")
    return _held(situation, record)


def _held(situation: Situation, record: Record) -> Situation:
    _person(situation, record)
    hold = msgspec.convert(record.data, Hold)
    if not (hold.reason and hold.owner and hold.areas):
        raise GateRefused("a hold names an area, a reason, and an owner")
    if hold.revisit and hold.revisit <= record.at:
        raise GateRefused("the date to revisit it is in the past")
    return replace(situation, state="held", approvals=(), schedule=None, holds=(*situation.holds, record))


def _resumed(situation: Situation, record: Record) -> Situation:
    _require_other_than_submitter(situation, record, "lift the hold")
    back: Mapping[Any, State] = {"pass": "pass", "fail": "fail", "inconclusive": "evaluating"}
    unjudged: State = "evaluating" if situation.runs else "sealed"
    return replace(situation, state=back.get(situation.outcome, unjudged))


def _scheduled(situation: Situation, record: Record) -> Situation:
    _require_role(situation, record, PUBLISHER)
    _require_about(situation, record)
    msgspec.convert(record.data["not_before"], Time)
    return replace(situation, state="scheduled", schedule=record)


def _published(situation: Situation, record: Record) -> Situation:
    _require_role(situation, record, PUBLISHER)
    _require_about(situation, record)
    if situation.not_before and record.at < situation.not_before:
        raise GateRefused(f"it isn't to be published before {situation.not_before:%Y-%m-%d %H:%M %Z}")
    return replace(situation, state="published", published=record)


def _advised(situation: Situation, record: Record) -> Situation:
    _require_role(situation, record, PUBLISHER)
    return replace(situation, state="advised")


def _withdrawn(situation: Situation, record: Record) -> Situation:
    _require_role(situation, record, PUBLISHER)
    return replace(situation, state="withdrawn")


def missing_roles(seal: Seal, approvals: tuple[Record, ...]) -> tuple[str, ...]:
    """The roles that must still approve."""
    given = {role for each in approvals if (found := seal.who(each.who)) for role in found[1].roles}
    return tuple(role for role in seal.policy.roles if role not in given)


_APPLY: Mapping[Kind, Callable[[Situation, Record], Situation]] = {
    "sealed": _sealed,
    "run": _run,
    "verdict": _verdict,
    "review": _review,
    "approved": _approved,
    "refused": _refused,
    "held": _held,
    "resumed": _resumed,
    "scheduled": _scheduled,
    "published": _published,
    "advised": _advised,
    "withdrawn": _withdrawn,
}
