"""Graders: an answer against what it should come to."""

import re
from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

from isthmus.errors import UsageError
from isthmus.scoring.final import final_answer, quantity

Grading: TypeAlias = Literal["exact", "numeric", "choice"]
"""How answers are compared: as text without case and dressing, as a number, as one letter of a choice."""

# "A train" opens with an article, "I think" with a pronoun: neither picks a choice.
_LETTER = re.compile(r"(?<![A-Za-z])\(?([B-HJ]|[AI](?! [a-z]))\)?(?![A-Za-z'])")
_OPENING_LETTER = re.compile(r"^\W*([B-HJb-hj]|[AIai](?! [A-Za-z]))(?:\W|$)")
_DRESSING = re.compile(r"[\s*_`\"'.,;:!?()\[\]{}$]+")


def grade(answer: str, gold: str, grading: Grading) -> bool:
    """Whether an answer, worked out at any length, comes to ``gold``."""
    return GRADERS[grading](answer, gold)


def grading_of(name: str) -> Grading:
    """The grading that goes by a name.

    Raises:
        UsageError: There is none.
    """
    for grading in GRADERS:
        if grading == name:
            return grading
    raise UsageError(f"{name!r} is no way to grade", hint=f"one of {', '.join(GRADERS)}")


def _exact(answer: str, gold: str) -> bool:
    """The same words, or a whole last line or marked value that is; case and punctuation don't count."""
    wanted = _plain(gold)
    final = final_answer(answer)
    lines = answer.strip().splitlines()
    candidates = [answer, lines[-1] if lines else "", final.text if final else ""]
    return bool(wanted) and any(_plain(each) == wanted for each in candidates)


def _numeric(answer: str, gold: str) -> bool:
    final = final_answer(answer)
    value, wanted = quantity(final.text) if final else None, quantity(gold)
    return value is not None and value == wanted


def _choice(answer: str, gold: str) -> bool:
    wanted, said = gold.strip().strip("().").upper(), _letter(answer)
    return bool(wanted) and said == wanted


def _letter(answer: str) -> str | None:
    """The letter that an answer picks: the marked one, the one it opens with, or the only one it names."""
    final = final_answer(answer)
    if final and final.marked and (letter := _LETTER.search(final.text)):
        return letter[1]
    if opening := _OPENING_LETTER.match(answer):
        return opening[1].upper()
    named = set(_LETTER.findall(answer))
    return named.pop() if len(named) == 1 else None


def _plain(text: str) -> str:
    return _DRESSING.sub(" ", text).strip().casefold()


GRADERS: Mapping[Grading, Callable[[str, str], bool]] = {
    "exact": _exact,
    "numeric": _numeric,
    "choice": _choice,
}
