"""A logistic head: standardised features and, where it reads texts, a weight for each bucket of words.

logit = bias + sum of weight x clip((value - mean) / spread) + sum of word weight x TF-IDF

It is data only, as it is stored; at run time it is additions and multiplications.
"""

import math
import sys
from array import array
from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct

CLIP = 3.0
"""Spreads from the mean beyond which a value says no more: what training never saw decides nothing alone."""

WORDS = "words"
"""The term that all words of a text make up together: one by one they would tell what was asked."""


class Feature(Struct, frozen=True, array_like=True):
    """What a feature counts: logits per spread, and where it lay in training."""

    weight: float
    mean: float
    spread: float


class Head(Struct, frozen=True):
    """One probability's weights. ``words`` are little-endian 32-bit floats, one a bucket, or nothing."""

    bias: float
    features: dict[str, Feature]
    words: bytes = b""


class Heads(Struct, frozen=True):
    """The two heads of a stage; they standardise their features alike."""

    wrong: Head
    right: Head


class Pair:
    """Both heads of a stage as they are used: one pass over the values serves both.

    Args:
        heads: What was learnt.

    Raises:
        ValueError: They standardise a feature in different ways.
    """

    def __init__(self, heads: Heads) -> None:
        wrong, right = heads.wrong, heads.right
        self._bias = wrong.bias, right.bias
        self._rows: dict[str, tuple[float, float, float, float]] = {}
        for name in {**wrong.features, **right.features}:
            both = [each.features.get(name) for each in (wrong, right)]
            known = [each for each in both if each is not None]
            if len({(each.mean, each.spread) for each in known}) > 1:
                raise ValueError(f"its heads standardise {name!r} in different ways")
            one, two = (0.0 if each is None else each.weight for each in both)
            self._rows[name] = known[0].mean, known[0].spread, one, two

    def weigh(
        self, values: Mapping[str, float], weight: float = 1.0, *, bias: bool = True
    ) -> tuple[tuple[float, float], dict[str, float]]:
        """The logits of both heads, and what each value added to them together.

        Args:
            values: Features by name; one that is missing counts as the mean, one that isn't known not at all.
            weight: How much they count.
            bias: Whether what is there without any feature is in the logits.
        """
        wrong, right = self._bias if bias else (0.0, 0.0)
        terms: dict[str, float] = {}
        rows = self._rows
        for name, value in values.items():
            row = rows.get(name)
            if row is None:
                continue
            mean, spread, of_wrong, of_right = row
            off = (value - mean) / spread
            off = weight * (CLIP if off > CLIP else -CLIP if off < -CLIP else off)
            wrong += off * of_wrong
            right += off * of_right
            if term := off * (of_wrong + of_right):
                terms[name] = term
        return (wrong, right), terms

    def reach(self, without: Collection[str]) -> tuple[float, float]:
        """How far the features move either logit, but for some: each a spread from its mean, all one way."""
        rows = [row for name, row in self._rows.items() if name not in without]
        return math.fsum(abs(row[2]) for row in rows), math.fsum(abs(row[3]) for row in rows)


def unpacked(packed: bytes) -> "array[float]":
    """Numbers from their stored form."""
    numbers = array("f", packed)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def packed(numbers: Sequence[float]) -> bytes:
    """Numbers in their stored form: little-endian 32-bit floats."""
    stored = array("f", numbers)
    if sys.byteorder == "big":
        stored.byteswap()
    return stored.tobytes()


def sigmoid(logit: float) -> float:
    """The logistic function, for any logit."""
    if logit >= 0:
        return 1 / (1 + math.exp(-logit))
    small = math.exp(logit)
    return small / (1 + small)
