"""Graders: an answer against what it should come to."""

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

from isthmus.errors import UsageError
from isthmus.scoring.choices import score_choice
from isthmus.scoring.numbers import score_numeric
from isthmus.scoring.texts import score_exact
from isthmus.scoring.verdict import Verdict

Grading: TypeAlias = Literal["exact", "numeric", "choice"]
"""How answers are compared: as text without case and dressing, as a number, as one letter of a choice."""


def grade(answer: str, gold: str, grading: Grading) -> bool:
    """Whether an answer, worked out at any length, comes to ``gold``."""
    return GRADERS[grading](answer, gold).right


def grading_of(name: str) -> Grading:
    """The grading that goes by a name.

    Raises:
        UsageError: There is none.
    """
    for grading in GRADERS:
        if grading == name:
            return grading
    raise UsageError(f"{name!r} is no way to grade", hint=f"one of {', '.join(GRADERS)}")


GRADERS: Mapping[Grading, Callable[[str, str], Verdict]] = {
    "exact": score_exact,
    "numeric": score_numeric,
    "choice": score_choice,
}
