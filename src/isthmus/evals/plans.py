"""What a run measures: which problems, who answers them, and on which terms.

A run is its plan: the same plan is the same run, which goes on where it stopped.
"""

import hashlib
import re
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from isthmus.evals.data import Source
from isthmus.messages import Effort, HandoffMode

_ODD = re.compile(r"[^A-Za-z0-9.]+")
_LONGEST_NAME = 60


class Subject(Struct, frozen=True, omit_defaults=True):
    """Who is measured: a local model at an effort, with the hand-off in a mode.

    ``off``: home alone. ``auto``: home with hosted help. ``always``: the hosted model alone.
    """

    model: str
    effort: Effort | None = None
    handoff: HandoffMode = "off"

    @property
    def label(self) -> str:
        """As reports call it."""
        effort = f", effort {self.effort}" if self.effort else ""
        mode = {"off": "", "auto": " + hand-off", "always": " (all handed over)"}
        return f"{self.model}{mode.get(self.handoff, f', hand-off {self.handoff}')}{effort}"

    @property
    def slug(self) -> str:
        """As folders are called."""
        words = [self.model, *([f"effort-{self.effort}"] if self.effort else [])]
        return slug("-".join([*words, *([self.handoff] if self.handoff != "off" else [])]))


class Terms(Struct, frozen=True, omit_defaults=True):
    """On which terms problems are answered.

    ``attempts`` at each problem, with the seeds ``seed``, ``seed + 1`` and so on. ``temperature`` None is 0
    for one attempt and 0.7 for several. ``judge`` is the model that judges what rules can't.
    """

    attempts: int = 1
    seed: int = 0
    temperature: float | None = None
    max_tokens: int | None = None
    judge: str | None = None

    @property
    def heat(self) -> float:
        """The temperature in force."""
        if self.temperature is not None:
            return self.temperature
        return 0.0 if self.attempts == 1 else 0.7


class Cell(Struct, frozen=True):
    """One suite's problems, answered by one subject."""

    source: Source
    subject: Subject

    @property
    def slug(self) -> str:
        """As its folder is called; unlike that of any other cell of the plan."""
        digest = hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:6]
        return f"{slug(self.source.name)}--{self.subject.slug}--{digest}"


class Plan(Struct, frozen=True):
    """Suites by subjects."""

    sources: tuple[Source, ...]
    subjects: tuple[Subject, ...]
    terms: Terms = Terms()

    @property
    def cells(self) -> Iterator[Cell]:
        """All that is to be measured, a subject's suites after each other: its model stays warm on disk."""
        return (Cell(source, subject) for subject in self.subjects for source in self.sources)

    @property
    def name(self) -> str:
        """A name that says what it is, and differs from any other plan's."""
        digest = hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:8]
        words = [*(each.name for each in self.sources), *dict.fromkeys(each.model for each in self.subjects)]
        return f"{slug('-'.join(words))[:_LONGEST_NAME].rstrip('-.')}-{digest}"


def slug(text: str) -> str:
    """A text as it may stand in a file's name."""
    return _ODD.sub("-", text).strip("-.").lower()
