"""What an evaluation found: one outcome a sample, in a file whose format is fixed here.

A run's file is JSON lines. The first says what was run on what; each other is a sample:

    {"format": "isthmus-run/1", "area": "cyber", "subject": "release", "run": "2026-11-22", "judge": "..."}
    {"prompt": "cyber-017", "outcome": "resisted"}

It holds names of prompts, never their texts, nor answers. Whoever evaluates writes it (an Inspect task, an
importer, a script); nothing here does. `isthmus gate schema run` prints its JSON schema.

The unit is the prompt: it is violated if any of its samples is, and failing that in error if any of those is.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from isthmus.errors import EvidenceBroken, GateError
from isthmus.gate.policy import UNTAMPERED, Digest, Name
from isthmus.gate.statistics import Judged

FORMAT = "isthmus-run/1"
RELEASE, CONTROL, BASELINE = "release", "control", "baseline:"

Outcome: TypeAlias = Literal["violated", "resisted", "error", "unparsed"]
"""violated: the bad event of the area's measure (it complied; it could; it failed). resisted: it didn't
happen. error: there is no answer. unparsed: the judge gave no opinion. The last two are never "resisted"."""

_RANK: dict[Outcome, int] = {"resisted": 0, "unparsed": 1, "error": 2, "violated": 3}


class Score(Struct, frozen=True, forbid_unknown_fields=True):
    """How many of so many questions were answered rightly."""

    right: Annotated[int, Meta(ge=0)]
    n: Annotated[int, Meta(ge=1)]


class Capability(Struct, frozen=True, forbid_unknown_fields=True):
    """The model's ability before an attack and after it, on the same questions."""

    before: Score
    after: Score

    @property
    def loss(self) -> float:
        """The share of the ability that the attack cost."""
        before = self.before.right / self.before.n
        return 1 - (self.after.right / self.after.n) / before if before else 1.0


class RunHeader(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was run on what."""

    area: Annotated[Name, Meta(description="The policy's area.")]
    subject: Annotated[
        str,
        Meta(
            description="release; control: the known-bad fixture that must fail; baseline:NAME.",
            pattern="^(release|control|baseline:[^:]+)$",
        ),
    ] = RELEASE
    series: Annotated[Name, Meta(description="The attack, or none.")] = UNTAMPERED
    run: Annotated[
        str, Meta(description="One sitting: its control and its release share the name.", min_length=1)
    ]
    judge: Annotated[str, Meta(description="The judge's name, as the policy has it.", min_length=1)]
    weights: Annotated[
        Digest | None, Meta(description="The digest of the sealed files, for the release itself.")
    ] = None
    tampered: Annotated[Digest | None, Meta(description="That of the weights that the attack made.")] = None
    capability: Annotated[Capability | None, Meta(description="Before and after the attack.")] = None
    tool: Annotated[str, Meta(description="What ran it, and its version.")] = ""
    settings: Annotated[dict[str, str], Meta(description="Sampling, templates, budgets.")] = {}
    format: Literal["isthmus-run/1"] = FORMAT

    @property
    def baseline(self) -> str | None:
        """The public model that it is of, if it is of one."""
        return self.subject.removeprefix(BASELINE) if self.subject.startswith(BASELINE) else None


class Sample(Struct, frozen=True, forbid_unknown_fields=True):
    """One answer to one prompt."""

    prompt: Annotated[str, Meta(description="Its name, as the suite has it.", min_length=1)]
    outcome: Outcome
    sample: Annotated[int, Meta(ge=0, description="Which of several answers.")] = 0


class Run(Struct, frozen=True):
    """A run's header, and the outcome of each prompt."""

    header: RunHeader
    outcomes: dict[str, Outcome]
    samples: int
    sha256: str

    def count(self, outcome: Outcome) -> int:
        """How many prompts had an outcome."""
        return sum(each == outcome for each in self.outcomes.values())


def read_run(content: bytes, header: RunHeader | None = None) -> Run:
    """A run's file; of a plain one, which has samples only, the header is given.

    Raises:
        GateError: It is malformed, empty, has two headers or none, or a sample twice.
    """
    lines = [line for line in content.splitlines() if line.strip()]
    try:
        if lines and b'"format"' in lines[0]:
            if header is not None:
                raise GateError("the run says itself what it is of; leave that to it")
            header = msgspec.json.decode(lines.pop(0), type=RunHeader)
        samples = [msgspec.json.decode(line, type=Sample) for line in lines]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise GateError(
            f"the run can't be read: {error}", hint="isthmus gate schema run prints what can stand in it"
        ) from error
    if header is None:
        raise GateError(
            "the run doesn't say what it is of", hint="--area NAME --run NAME --judge NAME say it"
        )
    if not samples:
        raise GateError("the run has no samples")
    if len({(each.prompt, each.sample) for each in samples}) != len(samples):
        raise GateError("the run has the same sample of a prompt twice")
    return Run(header, worst(samples), len(samples), hashlib.sha256(content).hexdigest())


def to_bytes(header: RunHeader, samples: Iterable[Sample]) -> bytes:
    """A run's file."""
    return b"".join(msgspec.json.encode(each) + b"\n" for each in (header, *samples))


def worst(samples: Iterable[Sample]) -> dict[str, Outcome]:
    """Each prompt's outcome: the worst of its samples'."""
    found: dict[str, Outcome] = {}
    for each in samples:
        found[each.prompt] = _worse(found.get(each.prompt), each.outcome)
    return found


def together(runs: Iterable[Run]) -> dict[str, Outcome]:
    """Each prompt's worst outcome over several runs: asking again can't mend it."""
    found: dict[str, Outcome] = {}
    for run in runs:
        for prompt, outcome in run.outcomes.items():
            found[prompt] = _worse(found.get(prompt), outcome)
    return found


def require_known(run: Run, prompts: Iterable[str]) -> None:
    """Make sure that a run is of a suite's prompts alone.

    Raises:
        EvidenceBroken: It has others.
    """
    if strange := sorted(set(run.outcomes) - set(prompts)):
        raise EvidenceBroken(f"the run has a prompt that isn't in the sealed suite: {strange[0][:80]!r}")


def _worse(one: Outcome | None, other: Outcome) -> Outcome:
    return other if one is None else max(one, other, key=_RANK.__getitem__)


# ---------------------------------------------------------------- calibration


class Settled(Struct, frozen=True, forbid_unknown_fields=True):
    """An answer whose truth people have settled, and what the judge made of it."""

    prompt: str
    truth: Literal["violated", "resisted"]
    judged: Outcome


def read_calibration(content: bytes) -> Judged:
    """How a judge did, from JSON lines of `Settled`. What it gave no opinion on counts against it.

    Raises:
        GateError: A line is malformed, or there are no violations among them.
    """
    try:
        rows = [msgspec.json.decode(line, type=Settled) for line in content.splitlines() if line.strip()]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise GateError(
            f"the calibration set can't be read: {error}", hint="isthmus gate schema calibration"
        ) from error
    bad = [row for row in rows if row.truth == "violated"]
    good = [row for row in rows if row.truth == "resisted"]
    if not bad or not good:
        raise GateError("a calibration set needs violations, and answers that are none")
    return Judged(
        violations=len(bad),
        caught=sum(row.judged == "violated" for row in bad),
        safe=len(good),
        false_alarms=sum(row.judged != "resisted" for row in good),
    )


SCHEMAS: Mapping[str, tuple[type, ...]] = {"run": (RunHeader, Sample), "calibration": (Settled,)}
"""What a line of each file can be."""
