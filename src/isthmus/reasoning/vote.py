"""The vote: samples in, one by one; who leads, with how many, and whether it is settled, out.

    vote = Vote(kind, rules)
    standing = vote.add(sample)        # until standing.settled, or no more may be drawn
    standing.chosen                    # the place of the sample that is the answer

It knows no model and no clock, so that any rules can be replayed on a pool of samples drawn once. Answers
that come to a value are counted by it (self-consistency: Wang et al. 2022, arXiv 2203.11171); where none
does, texts are clustered by what they share. Leaders are found by weight, which breaks ties by the tokens'
own probabilities; whether to stop is asked of the bare counts, to which the formulas apply.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from isthmus.reasoning.clustering import clusters
from isthmus.reasoning.kinds import Kind
from isthmus.reasoning.samples import Ballot, Sample, ballot_of, shares
from isthmus.reasoning.stopping import Stopping, missing, settled

Weighting: TypeAlias = Literal["logprob", "count"]
"""Whether the likelier of two samples counts for more."""

_SHOWN = 32
"""Characters of a text that stand for it in a line."""
_RIVALS_SHOWN = 4


class VoteRules(Struct, frozen=True):
    """How samples are drawn and counted.

    Attributes:
        samples: The most that are drawn.
        wave: How many are drawn at a time, in one batch, at the most: never more than it takes to settle
            the vote if they all agree.
        likeliest: How many of them, the first, are the model's likeliest answer and not a varied one: it is
            right more often than others are, and so worth a vote.
        programs: How many of them, the last, are asked for as programs that print the answer.
        stopping: When no more are.
        confidence: How sure that must be.
        weighting: What counts beside the number of samples.
        sums: Whether sums are done again, and wrong ones count against a sample.
    """

    samples: int = 8
    wave: int = 4
    likeliest: int = 1
    programs: int = 0
    stopping: Stopping = "predictive"
    confidence: float = 0.95
    weighting: Weighting = "logprob"
    sums: bool = True

    @property
    def worked(self) -> int:
        """How many samples are worked out in words: those before the programs."""
        return self.samples - self.programs


class Candidate(Struct, frozen=True):
    """An answer that samples agree on: those of them, the best to show first."""

    value: str
    weight: float
    samples: tuple[int, ...]

    @property
    def votes(self) -> int:
        """How many."""
        return len(self.samples)


class Standing(Struct, frozen=True):
    """How a vote stands.

    Attributes:
        drawn: Samples that have come, whole or not.
        counted: Those that were not cut off by us: they voted or abstained.
        most: How many there may be.
        candidates: What they agree on, the strongest first.
        settled: Whether further samples aren't worth their tokens.
        missing: How many more it takes at the least until they aren't.
    """

    drawn: int = 0
    counted: int = 0
    most: int = 0
    candidates: tuple[Candidate, ...] = ()
    settled: bool = False
    missing: int = 0

    @property
    def agreement(self) -> float:
        """The share of the counted samples that agree with the leader."""
        return self.candidates[0].votes / self.counted if self.candidates else 0.0

    @property
    def chosen(self) -> int | None:
        """The place of the sample that is the answer; None while there is none."""
        return self.candidates[0].samples[0] if self.candidates else None

    @property
    def line(self) -> str:
        """It in one line: ``3 of 8 samples: 42 (2), 40 (1)``."""
        shown = [f"{each.value} ({each.votes})" for each in self.candidates[:_RIVALS_SHOWN]]
        if len(self.candidates) > _RIVALS_SHOWN:
            shown.append("…")
        return f"{self.counted} of {self.most} samples: {', '.join(shown) or 'no answer yet'}"


class Vote:
    """Counts samples of one question.

    Args:
        kind: What the question wants.
        rules: How they are counted, and when it is enough.
    """

    def __init__(self, kind: Kind, rules: VoteRules) -> None:
        self._kind: Kind = kind
        self._rules = rules
        self._samples: list[Sample] = []
        self._ballots: list[Ballot] = []
        self._tested = False  # programs that fail alike are no reason to draw no more
        self.standing = self._count()
        """How it stands."""

    def add(self, sample: Sample, ballot: Ballot | None = None) -> Standing:
        """Count one sample.

        Args:
            sample: The sample.
            ballot: What it votes for, where its text doesn't say: a program that was run.
        """
        if ballot is None:
            ballot = ballot_of(sample, self._kind, sums=self._rules.sums)
        elif self._kind == "code":
            self._tested = True
        self._samples.append(sample)
        self._ballots.append(ballot)
        self.standing = self._count()
        return self.standing

    def _count(self) -> Standing:
        candidates = self._by_value() if self._has_values else self._by_likeness()
        first, second = ([each.votes for each in candidates] + [0, 0])[:2]
        # Where the weights overrule the counts, the runner-up by weight may have more votes.
        second = max([second, *(each.votes for each in candidates[1:])])
        drawn, rules = len(self._samples), self._rules
        left = max(0, rules.samples - drawn)
        asked = rules.stopping, rules.confidence, first, second, left
        proven = any(each.proof for each in self._ballots) and rules.stopping != "never"
        return Standing(
            drawn=drawn,
            counted=sum(each.finish is not None for each in self._samples),
            most=rules.samples,
            candidates=tuple(candidates),
            settled=proven if self._tested else settled(*asked),
            missing=left if self._tested else missing(*asked),
        )

    @property
    def _has_values(self) -> bool:
        """Whether there are values to count; in prose, one that is set apart here and there is none."""
        values = sum(each.value is not None for each in self._ballots)
        return values > 0 and (self._kind != "text" or 2 * values >= len(self._ballots))

    def _by_value(self) -> list[Candidate]:
        places: dict[str, list[int]] = {}
        for place, ballot in enumerate(self._ballots):
            if ballot.value is not None:
                places.setdefault(ballot.value, []).append(place)
        weights = self._weights()
        best = [sorted(members, key=lambda place: (-weights[place], place)) for members in places.values()]
        return _ranked(zip(places, best, strict=True), weights)

    def _by_likeness(self) -> list[Candidate]:
        """Where no sample comes to a value: the whole texts, else what there is."""
        places = [place for place, each in enumerate(self._samples) if each.whole] or [
            place for place, each in enumerate(self._samples) if each.finish is not None and each.text.strip()
        ]
        found = clusters([self._samples[place].text for place in places])
        members = [[places[member] for member in each.members] for each in found]
        labels = [_label(self._samples[each[0]].text) for each in members]
        return _ranked(zip(labels, members, strict=True), self._weights())

    def _weights(self) -> list[float]:
        if self._rules.weighting == "count":
            return [each.weight for each in self._ballots]
        return [share * each.weight for share, each in zip(shares(self._samples), self._ballots, strict=True)]


def _ranked(groups: "zip[tuple[str, list[int]]]", weights: Sequence[float]) -> list[Candidate]:
    candidates = [
        Candidate(value, sum(weights[place] for place in members), tuple(members))
        for value, members in groups
    ]
    return sorted(candidates, key=lambda each: (-each.weight, min(each.samples)))


def _label(text: str) -> str:
    said = " ".join(text.split())
    return f"“{said}”" if len(said) <= _SHOWN else f"“{said[: _SHOWN - 1]}…”"
