"""What a pool of models deals in: weights, what loads them, and what is then in memory."""

from datetime import datetime
from pathlib import Path
from typing import Protocol, TypeAlias

from msgspec import Struct

from isthmus.engines.schedule import State
from isthmus.fit import Plan
from isthmus.generator import Generator
from isthmus.store import StoredModel

Weights: TypeAlias = StoredModel | Path
"""What can be loaded: a model of the store, or a person's file."""


def identity(weights: Weights) -> str:
    """What tells a model from all others: its name alone might have other weights by now."""
    return f"{weights.name}@{weights.digest}" if isinstance(weights, StoredModel) else str(weights.absolute())


def digest_of(weights: Weights) -> str | None:
    """The SHA-256 of the weights; None for a person's file, of which nothing is pinned."""
    return weights.digest if isinstance(weights, StoredModel) else None


class Resident(Generator, Protocol):
    """A model that is loaded."""

    def memory_bytes(self) -> int | None:
        """The main memory that it takes now; None where nobody can tell. May take milliseconds."""
        ...


class Loader(Protocol):
    """Where models come from."""

    async def plan(self, weights: Weights) -> Plan:
        """What a model would take.

        Raises:
            ModelError: The weights can't be read.
        """
        ...

    async def load(self, weights: Weights, plan: Plan) -> Resident:
        """Load a model. Nothing of it is left where this fails or is cancelled.

        Raises:
            ModelError: The weights can't be read, or aren't those that were promised.
            LoadError: The engine can't load them.
        """
        ...


class ModelStatus(Struct, frozen=True):
    """A model that is loaded, or on its way in or out.

    ``memory_bytes`` is what is counted for it: what was planned, or more where it takes more. ``busy`` of its
    ``slots`` answer, ``waiting`` requests wait for it. It is unloaded at ``until`` unless it is used again.
    """

    name: str
    digest: str | None
    state: State
    memory_bytes: int
    context_length: int | None
    slots: int
    busy: int
    waiting: int
    idle_since: datetime | None = None
    until: datetime | None = None
