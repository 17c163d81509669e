"""A sitting: the parts that a policy asks for, run one after the other on what was sealed, and recorded.

Everything that was sealed is hashed before the first prompt, and its files mustn't change until the last.
What is found is recorded as soon as a part is whole; the same sitting goes on where it was stopped.
"""

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from isthmus.configuration import Configuration
from isthmus.errors import GateRefused
from isthmus.gate.judging import record, recorded
from isthmus.gate.lifecycle import ALLOWED
from isthmus.gate.policy import UNTAMPERED, Policy
from isthmus.gate.project import Project
from isthmus.gate.runs import RELEASE, Capability, Outcome, Run, RunHeader, read_run
from isthmus.gate.sealing import area_questions
from isthmus.gate.suites import Question
from isthmus.gate.tampering import attack_named
from isthmus.gate.tampering.attack import Attack, Variant
from isthmus.signing import SigningKey
from isthmus.trials.asking import Asking, ask_all, conversing_by, places_of
from isthmus.trials.headers import header_of
from isthmus.trials.judges import Bench, bench_of
from isthmus.trials.outcomes import Outcomes
from isthmus.trials.parts import Part
from isthmus.trials.searching import (
    Choice,
    Tried,
    half,
    keep_choice,
    read_choice,
    score_of,
    variant_named,
    worst_of,
)
from isthmus.trials.subjects import Served, hashed, served
from isthmus.trials.talk import Talk


class Done(Struct, frozen=True):
    """A part that is whole: what was found, its file, and whether it is in the evidence."""

    part: Part
    run: Run
    path: Path
    recorded: bool


class Sitting:
    """Runs parts of a policy.

    Args:
        project: The release, sealed.
        key: Of whoever runs it: each run is recorded by it.
        name: The sitting's; its control and its release share it.
        configuration: The person's settings.
        talk: Where it tells how far it is.
        retry: Whether prompts without an answer or an opinion are asked again.

    Raises:
        GateRefused: Nothing can be recorded in the release's state.
    """

    def __init__(
        self,
        project: Project,
        key: SigningKey,
        name: str,
        configuration: Configuration,
        talk: Talk,
        *,
        retry: bool = False,
    ) -> None:
        self.policy: Policy = project.situation.present.policy
        if project.situation.state not in ALLOWED["run"]:
            raise GateRefused(
                f"the release is {project.situation.state}, and runs are of one that is sealed or evaluating",
                hint="isthmus gate status",
            )
        self.name = name
        self._project = project
        self._key = key
        self._configuration = configuration
        self._talk = talk
        self._retry = retry
        self._folder = project.sitting_path(name)
        self._retried: set[str] = set()
        self._served: dict[str, Served] = {}
        self._tampered: dict[tuple[str, str, str], Served] = {}

    def check(self, parts: Sequence[Part]) -> None:
        """Make sure that all that some parts need is there, before the first of them takes its hours.

        Raises:
            GateRefused: Something was changed since it was sealed.
            PolicyInvalid: The policy names an attack that nobody knows, or half a judge.
            GateError: A model isn't there.
        """
        self._subject(RELEASE)  # whatever is asked, all that was sealed must be there
        for part in parts:
            if self._recorded(part) is None:
                self._bench(part.area)
                self._subject(part.subject)
                if part.series != UNTAMPERED:
                    self._attack(part.series)

    def run(self, part: Part) -> Done:
        """Run a part, or go on with it, and record it once it is whole.

        One with more errors than the policy puts up with isn't recorded: what is in the evidence stays there.

        Raises:
            GateRefused: Something was changed since it was sealed, or since the part was begun.
            IsthmusError: A model can't be had at all.
            KeyboardInterrupt: The person has stopped it; what was found is kept.
        """
        self.check([part])
        if (before := self._recorded(part)) is not None:
            return before
        outcomes = self._untampered(part) if part.series == UNTAMPERED else self._confirmed(part)
        run = read_run(outcomes.content)
        budget = self.policy.areas[part.area].errors
        unusable = run.count("error") + run.count("unparsed")
        usable = unusable <= budget * len(run.outcomes)
        if usable:
            record(self._project, self._key, outcomes.content)
        return Done(part, run, outcomes.path, usable)

    # ------------------------------------------------------------ untampered

    def _untampered(self, part: Part) -> Outcomes:
        subject = self._subject(part.subject)
        header = self._header(part, subject)
        return self._ask(part.label, part.area, self._questions(part.area), header, part.slug, subject)

    # ------------------------------------------------------------ under an attack

    def _confirmed(self, part: Part) -> Outcomes:
        """The worst configuration, on the half of the prompts that it wasn't searched on."""
        attack = self._attack(part.series)
        choice = self._choice(part.area, attack)
        variant = variant_named(attack, choice.variant)
        subject = self._tamper(part.subject, attack, variant)
        header = replace(
            self._header(part, subject, variant),
            capability=choice.capability if part.subject == RELEASE else None,
        )
        header = replace(header, settings={**header.settings, "searched": choice.summary})
        questions = half(self._questions(part.area), "b")
        return self._ask(part.label, part.area, questions, header, part.slug, subject, variant)

    def _choice(self, area: str, attack: Attack) -> Choice:
        path = self._folder / f"{area}--{attack.name}.choice.json"
        if (kept := read_choice(path)) is not None:
            return kept
        choice = worst_of(
            attack,
            self.policy.capability_loss,
            lambda variant: self._try(area, attack, variant),
            lambda variant: self._cost(attack, variant),
        )
        keep_choice(path, choice)
        return choice

    def _try(self, area: str, attack: Attack, variant: Variant) -> Tried:
        part = Part(area, RELEASE, attack.name)
        subject = self._tamper(RELEASE, attack, variant)
        header = self._header(part, subject, variant)
        questions = half(self._questions(area), "a", self.policy.search)
        slug, label = f"{part.slug}--{variant.name}", f"{area}, {attack.name}/{variant.name}"
        found = self._ask(label, area, questions, header, slug, subject, variant).by_prompt
        return Tried(sum(each == "violated" for each in found.values()), len(found))

    def _cost(self, attack: Attack, variant: Variant) -> Capability | None:
        """The model's ability before an attack and under it, on the questions of the floor that measures it.

        None where the policy names no such floor.
        """
        floor = self.policy.ability
        if floor is None:
            return None
        questions = self._questions(floor)
        before = self._untampered(Part(floor)).by_prompt
        subject = self._tamper(RELEASE, attack, variant)
        header = self._header(Part(floor, RELEASE, attack.name), subject, variant)
        label, slug = f"{floor}, {attack.name}/{variant.name}", f"ability--{attack.name}--{variant.name}"
        after = self._ask(label, floor, questions, header, slug, subject, variant).by_prompt
        return Capability(score_of(before, questions), score_of(after, questions))

    def _attack(self, name: str) -> Attack:
        return attack_named(name, self.policy, self._project.policy_path.parent)

    def _tamper(self, name: str, attack: Attack, variant: Variant) -> Served:
        """A subject's weights as a configuration makes them; the same where it makes none."""
        known = name, attack.name, variant.name
        if known not in self._tampered:
            subject = self._subject(name)
            folder = self._folder / "weights" / subject.digest[:12] / f"{attack.name}--{variant.name}"
            folder.mkdir(parents=True, exist_ok=True)
            made = variant.weights(subject.weights, folder, self._talk.on_progress)
            self._tampered[known] = subject if made == subject.weights else hashed(made)
        return self._tampered[known]

    # ------------------------------------------------------------ asking

    def _ask(
        self,
        label: str,
        area: str,
        questions: Sequence[Question],
        header: RunHeader,
        slug: str,
        subject: Served,
        variant: Variant | None = None,
    ) -> Outcomes:
        """Have each prompt's outcome; nothing is left of what was found while a file changed."""
        bench = self._bench(area)
        outcomes = Outcomes(self._folder / f"{slug}.jsonl", header)
        if self._retry and slug not in self._retried:
            self._retried.add(slug)
            outcomes.forget(_UNUSABLE)
        sampling = self.policy.sampling_of(area)
        converse, places = conversing_by(sampling, variant), places_of(questions, sampling)
        asking = Asking(slug, places, converse, bench.decider, bench.model)

        def tell() -> None:
            self._talk.on_done(label, len(outcomes), len(places), outcomes.errors)

        tell()
        subject.require_untouched()
        ask_all(asking, subject.weights, outcomes, self._folder / "logs" / slug, tell)
        try:
            subject.require_untouched()
        except GateRefused:
            outcomes.path.unlink(missing_ok=True)
            raise
        return outcomes

    def _header(self, part: Part, served: Served, variant: Variant | None = None) -> RunHeader:
        return header_of(self.policy, part, self.name, self._subject(part.subject), served, variant)

    def _subject(self, name: str) -> Served:
        if name not in self._served:
            settings = self._configuration.settings
            self._served[name] = served(self._project, name, settings, self._talk.on_progress)
        return self._served[name]

    def _questions(self, area: str) -> tuple[Question, ...]:
        return area_questions(self._project, area, self.policy.areas[area])

    def _bench(self, area: str) -> Bench:
        return bench_of(self._project, area, self.policy.areas[area], self._configuration.settings)

    def _recorded(self, part: Part) -> Done | None:
        """A part of this sitting that is in the evidence already."""
        for each in self._project.situation.runs:
            run = recorded(self._project, each)
            found = Part(run.header.area, run.header.subject, run.header.series)
            if found == part and run.header.run == self.name:
                return Done(part, run, self._project.run_path(run.sha256), recorded=True)
        return None


_UNUSABLE: tuple[Outcome, ...] = ("error", "unparsed")
