"""A logistic head: standardised features and, where it reads texts, a weight for each bucket of words.

logit = bias + sum of weight x clip((value - mean) / spread) + sum of word weight x TF-IDF

It is data only, as it is stored; at run time it is additions and multiplications.
"""

import math
import sys
from array import array
from collections.abc import Iterator, Mapping, Sequence

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

    def standardised(self, value: float) -> float:
        """Spreads from the mean, bounded."""
        return max(-CLIP, min(CLIP, (value - self.mean) / self.spread))


class Head(Struct, frozen=True):
    """One probability's weights. ``words`` are little-endian 32-bit floats, one a bucket, or nothing."""

    bias: float
    features: dict[str, Feature]
    words: bytes = b""

    def terms(self, values: Mapping[str, float]) -> Iterator[tuple[str, float]]:
        """What each known value adds, in logits; one that is missing counts as the mean."""
        features = self.features
        for name, value in values.items():
            feature = features.get(name)
            if feature is not None:
                yield name, feature.weight * feature.standardised(value)

    def reach(self, names: Sequence[str]) -> float:
        """The most that these features can move the logit, either way."""
        return CLIP * math.fsum(abs(self.features[name].weight) for name in names if name in self.features)


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
