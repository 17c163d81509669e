r"""What an answer comes to: the value that it ends on, and the numbers in a text.

Models close a worked answer in a few ways, which are looked for in this order: ``\boxed{72}`` (most
mathematics models), ``#### 72`` (grade-school-math's own mark), ``the answer is 72`` (chain-of-thought
prompts), and failing these the last number of the text.
"""

import re
from fractions import Fraction

from msgspec import Struct

NUMBER = re.compile(
    r"(?=[-.\d])(?<![\w.])-?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:(?<=\d)\.\d+|(?<![\d.])\.\d+)?(?<=\d)"
)
"""A number as people write it: 1,234.5 and .5 too; not a piece of a name such as x2."""

_BOXED = re.compile(r"\\boxed\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
_HASHES = re.compile(r"^#{3,}[ \t]*(\S.*?)[ \t]*$", re.MULTILINE)
_SAID = re.compile(
    r"\b(?:answer|result|total|choice|option)(?: is| was|:)[:\s]*\**\s*([^\n]{1,80}?)"
    r"(?=\.?\**\s*(?:\n|$)|\.\s)",
    re.IGNORECASE,
)
_SAYING = ("answer", "result", "total", "choice", "option")
"""One of them is in a text that `_SAID` may be found in; to look for them takes a twentieth of its time."""
_FRACTION = re.compile(
    r"\\[dt]?frac\s*\{\s*(-?[\d.,]+)\s*\}\s*\{\s*([\d.,]+)\s*\}|(-?[\d.,]+)\s*/\s*([\d.,]+)"
)
_DRESSING = re.compile(r"\\(?:text|mathrm|mathbf|textbf|,|!|;|\(|\)|\[|\])|[*$`{}€£]|\\%")
_LONGEST_QUANTITY = 120
_LONGEST_DIGITS = 40
"""Digits of a number that is worth reading: longer ones are noise, and slow to turn into values."""


class FinalAnswer(Struct, frozen=True):
    """The value an answer ends on, as text; ``marked`` where the answer itself set it apart."""

    text: str
    marked: bool


def final_answer(text: str) -> FinalAnswer | None:
    """What the answer comes to, or None where it names no value at all."""
    spoken = text.lower()
    said = any(map(spoken.__contains__, _SAYING))
    for pattern in (_BOXED, _HASHES, _SAID) if said else (_BOXED, _HASHES):
        found = pattern.findall(text)
        if found and found[-1].strip():
            return FinalAnswer(found[-1].strip(), marked=True)
    numbers = NUMBER.findall(text)
    return FinalAnswer(numbers[-1], marked=False) if numbers else None


def comes_to(text: str) -> str | None:
    """The value an answer ends on, in one spelling: marked as such, or a number in its last line."""
    final = final_answer(text)
    if final is None or not (final.marked or final.text in text.rstrip().rpartition("\n")[2]):
        return None
    value = quantity(final.text)
    if value is not None:
        return str(value)
    return final.text.casefold() if final.marked else None


def quantity(text: str) -> Fraction | None:
    r"""The number that a short text states, exact: ``$1,234.50``, ``3/4``, ``\frac{3}{4}``, ``12 apples``."""
    text = text[:_LONGEST_QUANTITY]
    if fraction := _FRACTION.search(text):
        over, under = (each for each in fraction.groups() if each is not None)
        top, bottom = _exact(over), _exact(under)
        return top / bottom if top is not None and bottom else None
    number = NUMBER.search(_DRESSING.sub("", text))
    return _exact(number[0]) if number else None


def quantities(text: str) -> list[Fraction]:
    """Every number of a text, in order."""
    values = (_exact(each) for each in NUMBER.findall(text))
    return [each for each in values if each is not None]


def _exact(number: str) -> Fraction | None:
    plain = number.replace(",", "").rstrip(".")
    if not plain or len(plain) > _LONGEST_DIGITS:
        return None
    try:
        return Fraction(plain)
    except (ValueError, ZeroDivisionError):
        return None
