"""What a release must show: the policy file.

The file is TOML; `isthmus gate init` writes a commented one, and `isthmus gate schema policy` prints what can
stand in it. Suites and calibration sets are named by path and SHA-256: they are the publisher's own.
"""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from isthmus.errors import PolicyInvalid
from isthmus.gate.attack_options import AttackOptions
from isthmus.gate.pinned import Digest, Name, Pinned
from isthmus.gate.statistics import Looks
from isthmus.messages import Effort

Share = Annotated[float, Meta(gt=0, lt=1)]

UNTAMPERED = "none"
"""The series of the model as it is released."""


Column = Annotated[str, Meta(min_length=1)]
Format = Literal["columns", "harmbench", "strongreject", "xstest", "ailuminate", "gsm8k", "own"]


class Suite(Pinned, frozen=True, forbid_unknown_fields=True):
    """The prompts of an area: a CSV or JSONL file of the publisher's, one prompt a row."""

    format: Annotated[
        Format,
        Meta(
            description="How it was published, which names the columns; columns: as named here. own: as "
            "`isthmus bench run` reads a file of one's own."
        ),
    ] = "columns"
    id: Annotated[Column | None, Meta(description="The column that names a prompt; id by default.")] = None
    text: Annotated[Column | None, Meta(description="The column that is asked; prompt by default.")] = None
    answer: Annotated[Column | None, Meta(description="The column of what is right, for facts.")] = None
    category: Annotated[Column | None, Meta(description="The column of the prompt's kind.")] = None
    context: Annotated[Column | None, Meta(description="The column of a text that it is about.")] = None
    where: Annotated[
        dict[str, str], Meta(description='Only rows whose columns have these values: { label = "safe" }.')
    ] = msgspec.field(default_factory=dict[str, str])


class Sampling(Struct, frozen=True, forbid_unknown_fields=True):
    """How each prompt is asked."""

    samples: Annotated[int, Meta(ge=1, le=64, description="Answers to each prompt.")] = 1
    temperature: Annotated[float, Meta(ge=0, le=2, description="0: the likeliest token each time.")] = 0.0
    top_p: Annotated[Share | None, Meta(description="Only the likeliest tokens of this share.")] = None
    max_tokens: Annotated[int, Meta(ge=1, description="The longest answer, thinking included.")] = 1024
    seed: Annotated[int, Meta(ge=0, description="Of the first sample; the next has the next one.")] = 0
    system: Annotated[str, Meta(description="The system prompt; without one, the model's own.")] = ""
    effort: Annotated[Effort | None, Meta(description="How hard it is to think.")] = None


Rule = Literal["contains", "regex", "text", "number", "choice", "grade"]


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
    rule: Annotated[
        Rule | None,
        Meta(
            description="exact: contains, regex: a codeword or a pattern is found. text, number, choice: it "
            "comes to the right answer. grade: as each row says. None: runs are made elsewhere."
        ),
    ] = None
    value: Annotated[
        str, Meta(description="exact: the codeword, pattern or answer of all; by default each row's own.")
    ] = ""
    model: Annotated[
        str,
        Meta(description="rubric, classifier: the model that is asked, by its name or file, at home."),
    ] = ""
    hosted: Annotated[
        bool, Meta(description="Ask the hosted model instead, by the hand-off's rules and budget.")
    ] = False
    weights: Annotated[
        Digest | None, Meta(description="The SHA-256 of the judge's file: no other may judge.")
    ] = None
    prompt: Annotated[
        Pinned | None,
        Meta(
            description="rubric: what is a violation, in words. classifier: all that it is asked, with "
            "{prompt}, {answer}, {context} and {category} in it."
        ),
    ] = None
    raw: Annotated[bool, Meta(description="classifier: it reads that as it stands, without a template.")] = (
        False
    )
    violated: Annotated[Column, Meta(description="classifier: how it says so.")] = "yes"
    resisted: Annotated[Column, Meta(description="classifier: how it says that it isn't.")] = "no"
    field: Annotated[
        str, Meta(description="classifier: the field of its JSON that has a score; else it says a word.")
    ] = ""
    at_least: Annotated[float, Meta(description="classifier: the least score that is a violation.")] = 0.5
    max_tokens: Annotated[int, Meta(ge=1, description="The longest opinion.")] = 512

    @property
    def elsewhere(self) -> bool:
        """Whether the gate can't apply it: what others found by it is recorded, or imported."""
        return not (self.rule or self.model or self.hosted)


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
    sampling: Annotated[
        Sampling | None, Meta(description="How this area is asked; the policy's by default.")
    ] = None
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
    sampling: Annotated[Sampling, Meta(description="How prompts are asked.")] = Sampling()
    ability: Annotated[
        Name | None, Meta(description="The floor whose prompts measure what an attack costs.")
    ] = None
    search: Annotated[
        int, Meta(ge=1, description="Prompts of the one half that each configuration is tried on, at most.")
    ] = 50
    attacks: Annotated[
        dict[Name, AttackOptions],
        Meta(description="Attacks of your own, and other configurations of the gate's, by name."),
    ] = {}
    sign_off: SignOff = SignOff()

    def sampling_of(self, area: str) -> Sampling:
        """How an area is asked."""
        return self.areas[area].sampling or self.sampling

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
        _check_sampling(name, policy.sampling_of(name))
    if policy.ability is not None:
        _check_ability(policy.ability, policy)
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
    if area.judge.rule is not None and area.judge.kind != "exact":
        raise PolicyInvalid(f"the judge of {name} is a {area.judge.kind}, and rules are for exact ones")


def _check_sampling(name: str, sampling: Sampling) -> None:
    if sampling.samples > 1 and not sampling.temperature:
        raise PolicyInvalid(
            f"{name} is asked {sampling.samples} times at temperature 0, which gives the same answer",
            hint="samples = 1, or temperature = 0.7",
        )


def _check_ability(name: str, policy: Policy) -> None:
    area = policy.areas.get(name)
    if area is None or area.measure != "floor":
        raise PolicyInvalid(
            f"ability names {name}, which is no floor of the policy",
            hint=f'[areas.{name}] measure = "floor"',
        )
