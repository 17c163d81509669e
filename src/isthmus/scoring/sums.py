r"""The sums in a worked answer, done again.

Equations are found as people and models write them: ``48/2 = 24``, ``$12 x 5/6 = $10``, ``<<48+24=72>>``,
``\frac{48}{2} = 24``, ``3 * 4 + 1 = 12 + 1 = 13``. Each side that is a sum is worked out exactly, in
fractions; words in between (``3 sprints x 60 meters``) are passed over.
"""

import re
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from msgspec import Struct

_TEX = (
    (re.compile(r"\\text\s*\{[^{}]*\}|\\(?:mathrm|textbf|mathbf)\s*\{[^{}]*\}"), " "),
    (re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}"), r"(\1)/(\2)"),
    (re.compile(r"\\times|\\cdot|\\ast|[\u00d7\u00b7\u2219\u2715]|\\\*"), "*"),
    (re.compile(r"\\div|÷"), "/"),
    (re.compile(r"[\u2212\u2013]"), "-"),
    (re.compile(r"\\boxed\s*\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\\left|\\right|\\[\[\](),;! ]|[$€£*]{2,}|[$€£]"), " "),
    (re.compile(r"(?<=\d),(?=\d{3}(?!\d))"), ""),
    (re.compile(r"(?<=\d)\s*(?:percent|\\?%)"), "/100"),
    (re.compile(r"(?<=[\w)])\s+[xX]\s+(?=[(\d])|(?<=\d)[xX](?=\d)"), " * "),
)
_UNIT = re.compile(r"(?<=[\d)])\s*[a-zA-Z]+(?:[ /-][a-zA-Z]+){0,3}(?=\s*(?:[-+*/=)]|>>|$))")
_EQUALS = re.compile(r"=|≈|\\approx|\\equiv")
_RUN = re.compile(r"[-\d.+*/() ]+")
_NUMBER = re.compile(r"\d+(?:\.\d+)?|\.\d+")
_LEADING = re.compile(r"[\s(]*(-?)\s*(\d+(?:\.\d+)?|\.\d+)(?:\s*/\s*(\d+))?")
_LONGEST = 200
_MOST_DIGITS = 15
_MOST_EQUATIONS = 64


class Equation(Struct, frozen=True):
    """``operands`` put together came to ``stated``, the answer says; it is really ``value``."""

    operands: tuple[Fraction, ...]
    value: Fraction
    stated: Fraction

    @property
    def holds(self) -> bool:
        """Whether it is right, but for rounding in the last places."""
        return abs(self.value - self.stated) <= max(Fraction(1, 100), abs(self.value) / 200)


def equations(text: str) -> list[Equation]:
    """The sums that a text states, in order, each as often as it is worked out anew."""
    if _EQUALS.search(text) is None:
        return []
    found: list[Equation] = []
    for line in _plain(text).splitlines():
        sides = _EQUALS.split(line)
        for left, right in pairwise(sides):
            if (equation := _equation(left, right)) and (not found or equation != found[-1]):
                found.append(equation)
                if len(found) == _MOST_EQUATIONS:
                    return found
    return found


def _plain(text: str) -> str:
    text = text.replace("<<", " ").replace(">>", "\n")
    for pattern, replacement in _TEX:
        text = pattern.sub(replacement, text)
    return text


def _equation(left: str, right: str) -> Equation | None:
    operation, stated = _tail(_UNIT.sub(" ", left[-_LONGEST:])), _stated(right[:_LONGEST])
    if operation is None or stated is None:
        return None
    value = evaluate(operation)
    operands = tuple(Fraction(each) for each in _NUMBER.findall(operation))
    return None if value is None or len(operands) < 2 else Equation(operands, value, stated)


def _tail(side: str) -> str | None:
    """The sum that a left side ends in: its longest end that holds nothing but numbers and signs."""
    runs = list(_RUN.finditer(side.rstrip()))
    if not runs or runs[-1].end() != len(side.rstrip()):
        return None
    tail = runs[-1][0].strip().lstrip("+*/).")
    while tail.count(")") < tail.count("("):  # a bracket that a word stands in front of
        tail = tail.split("(", 1)[1]
    return tail if len(_NUMBER.findall(tail)) >= 2 else None


def _stated(side: str) -> Fraction | None:
    """What a right side says: the sum that all of it is, else the number that it begins with."""
    whole = _UNIT.sub(" ", side).strip(" .")
    if _RUN.fullmatch(whole) and (value := evaluate(whole)) is not None:
        return value
    found = _LEADING.match(side)
    if found is None or max(map(len, filter(None, found.groups()))) > _MOST_DIGITS:
        return None
    under = int(found[3]) if found[3] else 1
    if under == 0:
        return None
    value = Fraction(found[2]) / under
    return -value if found[1] else value


# ---------------------------------------------------------------- working a sum out


def evaluate(operation: str) -> Fraction | None:
    """The exact value of a sum of numbers, + - * / and brackets; None where there is none."""
    tokens = re.findall(r"\d+(?:\.\d+)?|\.\d+|[-+*/()]", operation)
    if not tokens or any(len(each) > _MOST_DIGITS for each in tokens):
        return None
    try:
        value, rest = _sum(tokens, 0)
    except (ValueError, ZeroDivisionError, IndexError, RecursionError):
        return None
    return value if rest == len(tokens) else None


def _sum(tokens: Sequence[str], at: int) -> tuple[Fraction, int]:
    value, at = _product(tokens, at)
    while at < len(tokens) and tokens[at] in "+-":
        right, after = _product(tokens, at + 1)
        value = value + right if tokens[at] == "+" else value - right
        at = after
    return value, at


def _product(tokens: Sequence[str], at: int) -> tuple[Fraction, int]:
    value, at = _factor(tokens, at)
    while at < len(tokens) and tokens[at] in "*/":
        right, after = _factor(tokens, at + 1)
        value = value * right if tokens[at] == "*" else value / right
        at = after
    return value, at


def _factor(tokens: Sequence[str], at: int) -> tuple[Fraction, int]:
    if tokens[at] == "-":
        value, at = _factor(tokens, at + 1)
        return -value, at
    if tokens[at] == "(":
        value, at = _sum(tokens, at + 1)
        if tokens[at] != ")":
            raise ValueError(tokens[at])
        return value, at + 1
    return Fraction(tokens[at]), at + 1
