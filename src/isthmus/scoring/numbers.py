r"""Answers that are numbers: with thousands, percents, fractions, powers of ten and units."""

import re
from collections.abc import Mapping
from fractions import Fraction

from msgspec import Struct

from isthmus.scoring.final import NUMBER, final_answer, quantity
from isthmus.scoring.verdict import Verdict, compared

_SIGNS = str.maketrans({"\u2212": "-", "\u2013": "-", "\u00a0": " ", "\u202f": " ", "\u2009": " "})
_MIXED = re.compile(r"\s+(\d{1,9})\s*/\s*([1-9]\d{0,8})(?![\w.,/])")
_OVER = re.compile(r"\s*/\s*[\d.,]*\d")
_POWER = re.compile(
    r"\s*(?:[eE]|(?:\\times|\\cdot|[x*\u00d7\u00b7])\s*10\s*(?:\^|\*\*))\s*\{?\s*([-+]?\d{1,3})(?![\d.])\}?"
)
_LARGE = re.compile(r"\s*(thousand|million|billion|trillion)\b", re.IGNORECASE)
_PERCENT = re.compile(r"\s*(?:\\?%|percent\b|per cent\b)", re.IGNORECASE)
_UNIT = re.compile(r"\s*(?:\\[, ])?\s*(?:\\(?:text|mathrm)\s*\{\s*)?([A-Za-z]+)\b")
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_MOST_POWER = 300


class Unit(Struct, frozen=True):
    """What a unit measures, and how many of that kind's base unit it is."""

    kind: str
    scale: Fraction


def _units() -> Mapping[str, Unit]:
    """Units by their names. Of one that isn't here nothing is known, and it is passed over."""
    table = {
        "length, in m": {
            "mm millimeter millimetre": "0.001",
            "cm centimeter centimetre": "0.01",
            "m meter metre": "1",
            "km kilometer kilometre": "1000",
            "inch inches": "0.0254",
            "ft foot feet": "0.3048",
            "yd yard": "0.9144",
            "mi mile": "1609.344",
        },
        "mass, in g": {
            "mg milligram": "0.001",
            "g gram": "1",
            "kg kilogram": "1000",
            "ton tonne": "1000000",
            "oz ounce": "28.349523125",
            "lb lbs pound": "453.59237",
        },
        "time, in s": {
            "ms millisecond": "0.001",
            "s sec second": "1",
            "min minute": "60",
            "h hr hour": "3600",
            "day": "86400",
            "week": "604800",
        },
        "volume, in l": {
            "ml milliliter millilitre": "0.001",
            "cl": "0.01",
            "dl": "0.1",
            "l liter litre": "1",
        },
        "money, in dollars": {"cent": "0.01", "dollar": "1"},
    }
    return {
        spelling: Unit(kind, Fraction(scale))
        for kind, units in table.items()
        for names, scale in units.items()
        for name in names.split()
        for spelling in (name, f"{name}s")
    }


UNITS = _units()


class Measure(Struct, frozen=True):
    """A number as it was written.

    Attributes:
        value: The number.
        unit: What it is so many of, where that is known.
        otherwise: What else may be meant: 50% is 50, and 0.5; 3 million is 3 where millions are counted.
    """

    value: Fraction
    unit: Unit | None = None
    otherwise: Fraction | None = None


def score_numeric(answer: str, gold: str, *, relative: float = 0, absolute: float = 0) -> Verdict:
    """Whether the answer comes to a number.

    Where both have a unit that is known they are converted (1.5 km is 1500 m), and units of two kinds are
    never equal; other words beside numbers are passed over.

    Args:
        answer: What was answered.
        gold: The right number.
        relative: How far off it may be, as a part of the right number.
        absolute: How far off it may be.
    """
    final = final_answer(answer)
    said, wanted = measure(final.text) if final else None, measure(gold)
    if final is None or said is None:
        return compared(None, gold, right=False)
    right = wanted is not None and equal(said, wanted, Fraction(relative), Fraction(absolute))
    return compared(final.text, gold, right=right)


def measure(text: str) -> Measure | None:
    """The number that a short text states, with what stands beside it."""
    text = text.translate(_SIGNS)
    value, first = quantity(text), NUMBER.search(text)
    if value is None or first is None:
        return None
    end, otherwise = first.end(), None
    if mixed := _MIXED.match(text, end):  # 1 1/2
        whole, end = Fraction(first[0].replace(",", "")), mixed.end()
        part = Fraction(int(mixed[1]), int(mixed[2]))
        value = whole - part if first[0].startswith("-") else whole + part
    elif over := _OVER.match(text, end):
        end = over.end()
    elif (power := _POWER.match(text, end)) and abs(int(power[1])) <= _MOST_POWER:
        value, end = value * Fraction(10) ** int(power[1]), power.end()
    if large := _LARGE.match(text, end):
        otherwise, value, end = value, value * _SCALES[large[1].lower()], large.end()
    elif percent := _PERCENT.match(text, end):
        otherwise, end = value / 100, percent.end()
    unit = _UNIT.match(text, end)
    return Measure(value, _unit(unit[1]) if unit else None, otherwise)


def equal(
    said: Measure, wanted: Measure, relative: Fraction = Fraction(0), absolute: Fraction = Fraction(0)
) -> bool:
    """Whether two measures are the same, within tolerances."""
    pairs = [(said.value, wanted.value)]
    if said.otherwise is not None and wanted.otherwise is None:
        pairs.append((said.otherwise, wanted.value))
    elif said.otherwise is None and wanted.otherwise is not None:
        pairs.append((said.value, wanted.otherwise))
    if said.unit and wanted.unit:
        if said.unit.kind != wanted.unit.kind:
            return False
        pairs = [(ours * said.unit.scale, theirs * wanted.unit.scale) for ours, theirs in pairs]
    return any(abs(ours - theirs) <= max(absolute, relative * abs(theirs)) for ours, theirs in pairs)


def _unit(name: str) -> Unit | None:
    return UNITS.get(name) or UNITS.get(name.lower())
