"""A model on its way into the store, and who looks at it before anything is named."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from msgspec import Struct


class Arrival(Struct, frozen=True):
    """A model on its way into the store.

    Attributes:
        name: What it will be called.
        source: Where it comes from, so that the very same comes again.
        digests: The SHA-256 of each of its files. No other bytes are stored.
        statements: What its release states, by name; nothing proves any of it yet.
        contents: Each file that its source has for it and its SHA-256; None where the source can't say.
    """

    name: str
    source: str
    digests: tuple[str, ...]
    statements: Mapping[str, bytes]
    contents: tuple[tuple[str, str], ...] | None = None


Admit: TypeAlias = Callable[[Arrival], None]
"""Raises `ModelError` where a model may not be taken in."""


def admit_anything(arrival: Arrival) -> None:
    """Takes in every model: for those who require nothing of anybody."""
