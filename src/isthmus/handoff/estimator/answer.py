"""What a local answer says of its own worth: its form, its sums, its doubts, its loops.

Families, so that each can be left out and looked at alone: ``form`` (does it end, on what), ``sums`` (do they
hold, is every number of the question used), ``doubt`` (hedges, refusals), ``loops``, ``checks`` (code, JSON).
"""

import ast
import json
import math
import re
import warnings
from collections import Counter
from fractions import Fraction
from functools import lru_cache

from msgspec import Struct

from isthmus.handoff.estimator.words import seen
from isthmus.handoff.judging import LocalAnswer
from isthmus.messages import FinishReason
from isthmus.scoring import FinalAnswer, final_answer, quantities, quantity
from isthmus.scoring.sums import Equation, equations

_COUNTED = re.compile(r"\bhow many\b", re.IGNORECASE)
_ASKS_NUMBER = re.compile(
    r"\bhow (?:many|much|long|far|old|fast|tall|big)\b|\b(?:calculate|compute|total|average|percentage)\b",
    re.IGNORECASE,
)
# Of a text in lower case: told to pass over case, an expression takes three times as long.
_HEDGE = re.compile(
    r"\b(?:however|approximately|about|roughly|assum\w+|maybe|perhaps|not sure|unclear|round(?:ed|ing)?"
    r"|but since|wait|actually|correct(?:ion|ed)|mistake|apologi\w+|we don't know|not (?:given|stated))\b"
)
_REFUSAL = re.compile(
    r"\b(?:i(?:'m| am) (?:sorry|unable|not able)|i can(?:'t|not)|as an ai|i don't (?:know|have)"
    r"|cannot (?:be )?(?:determined?|answer)|not enough information|impossible to)\b"
)
_CONVERSIONS = frozenset(map(Fraction, (1, 2, 3, 4, 7, 10, 12, 24, 30, 52, 60, 100, 365, 1000)))
"""Numbers that a solution may bring in by itself: days of a week, minutes of an hour, percents."""
_FENCE = re.compile(r"```([\w+-]*)[ \t]*\n(.*?)(?:```|\Z)", re.DOTALL)
_ENDED = re.compile(r"[.!?)}\]\"'`*$\d|>:]\s*$")
_LONGEST = 20_000
"""Characters of an answer that are read: of a longer one, its beginning and more of its end."""


def answer_features(question: str, answer: LocalAnswer) -> dict[str, float]:
    """All that can be read from a whole answer's text beside its question."""
    text = answer.text
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST // 4]}\n{text[-3 * _LONGEST // 4 :]}"
    return {
        **form_features(question, text, answer.finish_reason),
        **sum_features(question, text),
        **doubt_features(text),
        **loop_features(text),
        **check_features(text),
    }


_SNIPPET = 80
"""Characters; a shorter answer without an end was asked for so: a word, or a few tokens."""


def form_features(question: str, answer: str, finish_reason: FinishReason | None) -> dict[str, float]:
    """How the answer ends, on what, and how long it is."""
    text = answer.strip()
    final, value = _ending(text)
    asked = _asked(question)
    asks, counted = asked.number, asked.count
    length = math.log1p(min(len(text), 8000))
    return {
        "answer length": length,
        "answer empty": float(not text),
        "answer cut": float(len(text) >= _SNIPPET and _cut(text, finish_reason)),
        "answer unmarked": float(asks and (final is None or not final.marked)),
        "answer without number": float(asks and value is None),
        "answer not whole": float(asks and value is not None and value.denominator != 1),
        "answer not countable": float(counted and value is not None and value.denominator != 1),
        "answer not positive": float(asks and value is not None and value <= 0),
        "answer lines": math.log1p(min(text.count("\n"), 60)),
    }


def _cut(text: str, finish_reason: FinishReason | None) -> bool:
    """Whether it broke off; where nobody says why it ended, by its last character."""
    return not _ENDED.search(text) if finish_reason is None else finish_reason == "length"


def sum_features(question: str, answer: str) -> dict[str, float]:
    """Its sums done again, and whether it uses what the question gives and nothing else."""
    found = equations(answer)
    given = _asked(question).given
    _, value = _ending(answer.strip())
    return {
        "sums": math.log1p(len(found)),
        "sums wrong": float(min(sum(not each.holds for each in found), 3)),
        "sums rounded": float(any(each.stated != each.value and each.holds for each in found)),
        "sums fractional": float(min(sum(each.value.denominator != 1 for each in found), 4)),
        "sums negative": float(any(each.value < 0 for each in found)),
        "numbers unused": _unused(given, found, answer),
        "numbers brought in": float(min(_brought_in(given, found), 4)),
        "final not computed": float(bool(found) and value is not None and _unsupported(value, found)),
        "final not last": float(bool(found) and value is not None and not _near(value, found[-1].value)),
        "final was given": float(value is not None and value in given),
        "final magnitude": _magnitude(value, given),
        "result unused": _dangling(found),
    }


def doubt_features(answer: str) -> dict[str, float]:
    """Hedges and refusals."""
    text = seen(answer).lower()
    return {
        "hedges": float(min(len(_HEDGE.findall(text)), 4)),
        "refuses": float(bool(_REFUSAL.search(text))),
    }


class _Asked(Struct, frozen=True):
    """What a question wants and gives: a number, one that counts something; the numbers that are in it."""

    number: bool
    count: bool
    given: list[Fraction]


@lru_cache(64)  # an agent's stays the same for as long as its loop goes on
def _asked(question: str) -> _Asked:
    text = seen(question)
    return _Asked(bool(_ASKS_NUMBER.search(text)), bool(_COUNTED.search(text)), quantities(text))


@lru_cache(4)  # the form and the sums of an answer ask alike
def _ending(answer: str) -> tuple[FinalAnswer | None, Fraction | None]:
    """What an answer comes to, as text and as a number."""
    final = final_answer(answer)
    return final, quantity(final.text) if final else None


def loop_features(answer: str) -> dict[str, float]:
    """How much of it says again what it said: the share of its runs of four words that are no news."""
    spoken = answer.split()[-600:]
    runs = list(zip(spoken, spoken[1:], spoken[2:], spoken[3:], strict=False))
    if len(set(runs)) == len(runs):
        return {"repetition": 0.0, "loops": 0.0}
    counts = Counter(runs)
    return {
        "repetition": 1 - len(counts) / len(runs),
        "loops": float(max(counts.values()) >= max(6, len(runs) // 12)),
    }


def check_features(answer: str) -> dict[str, float]:
    """Code that doesn't parse, JSON that isn't JSON, where the answer holds some."""
    blocks = [(name.lower(), body) for name, body in _FENCE.findall(answer)]
    broken = sum(_broken(name, body) for name, body in blocks)
    bare = answer.strip()
    if not blocks and bare[:1] in ("{", "[") and bare[-1:] in ("}", "]"):
        broken += _broken("json", bare)
    return {
        "code": float(bool(blocks)),
        "code broken": float(broken > 0),
        "fence open": float(answer.count("```") % 2),
    }


# ---------------------------------------------------------------- sums


def _unused(given: list[Fraction], found: list[Equation], answer: str) -> float:
    """The share of the question's numbers that the answer never mentions."""
    wanted = set(given)
    if not wanted:
        return 0.0
    said = {each for equation in found for each in (*equation.operands, equation.stated)} | set(
        quantities(answer)
    )
    return len(wanted - said) / len(wanted)


def _brought_in(given: list[Fraction], found: list[Equation]) -> int:
    """Operands that neither the question gave nor a sum before came to."""
    known = {*given, *(each / 100 for each in given)} | _CONVERSIONS
    strange = 0
    for equation in found:
        strange += sum(each not in known and 1 - each not in known for each in equation.operands)
        known |= {equation.value, equation.stated}
    return strange


def _unsupported(value: Fraction, found: list[Equation]) -> bool:
    return not any(_near(value, each.value) or _near(value, each.stated) for each in found)


def _near(one: Fraction, other: Fraction) -> bool:
    return abs(one - other) <= max(Fraction(1, 100), abs(other) / 200)


def _magnitude(value: Fraction | None, given: list[Fraction]) -> float:
    """How far the final value lies from the largest that was given, in powers of ten, at most three."""
    largest = max(map(abs, given), default=Fraction(0))
    if not value or not largest:
        return 0.0
    return min(abs(_log10(abs(value)) - _log10(largest)), 3.0)


def _log10(value: Fraction) -> float:
    return math.log10(value.numerator) - math.log10(value.denominator)


def _dangling(found: list[Equation]) -> float:
    """The share of results, but for the last, that no later sum takes up."""
    if len(found) < 2:
        return 0.0
    idle = 0
    for place, equation in enumerate(found[:-1]):
        later = {each for other in found[place + 1 :] for each in other.operands}
        idle += equation.value not in later and equation.stated not in later
    return idle / (len(found) - 1)


# ---------------------------------------------------------------- code and JSON


def _broken(language: str, body: str) -> bool:
    """Whether a block of Python or JSON can't be read; of other languages nothing is known."""
    if language in ("json", "jsonc"):
        return not _is_json(body)
    if language in ("python", "py", "python3"):
        return not _is_python(body)
    return False


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _is_python(text: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what the code merely warns of is no error
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return text.lstrip().startswith((">>>", "$", "%"))  # a session, not a module
    return True
