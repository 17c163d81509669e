"""Which models to recommend: the best ones that fit the machine and run at a usable speed."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from msgspec import Struct

from isthmus.fit.nouns import Budget, Plan
from isthmus.fit.planning import plan
from isthmus.fit.speed import (
    FLUENT_TOKENS_PER_S,
    QUICK_TOKENS_PER_S,
    SLOW_TOKENS_PER_S,
    Bandwidth,
    decode_speed,
)
from isthmus.settings import EngineSettings
from isthmus.store import CatalogueEntry

SMALLEST_CONTEXT = 8192
"""Tokens of context that a model must have room for; below it a conversation is soon cut."""
DISK_RESERVE_BYTES = 2 << 30
"""What stays free on the disk."""
MOST = 3

Quality = Callable[[CatalogueEntry], float]
"""How good a model is, from 0 to 100."""


class Candidate(Struct, frozen=True):
    """A model that fits, how it would lie in memory, and about how fast it would write."""

    entry: CatalogueEntry
    plan: Plan
    tokens_per_s: float


def catalogue_quality(entry: CatalogueEntry) -> float:
    """The order that the catalogue gives; measurements of one's own can take its place."""
    return entry.quality


def fitted(
    entry: CatalogueEntry, budget: Budget, engine: EngineSettings, bandwidth: Bandwidth
) -> Candidate | None:
    """The model as it would run within the budget; None where it doesn't fit, or nobody knows its shape."""
    shape = entry.shape
    if shape is None:
        return None
    found = plan(shape, budget, engine, context_length=min(SMALLEST_CONTEXT, shape.context_length))
    return Candidate(entry, found, decode_speed(shape, found, bandwidth)) if found.fits else None


def candidates(
    entries: Iterable[CatalogueEntry],
    *,
    budget: Budget,
    engine: EngineSettings,
    bandwidth: Bandwidth,
    disk_free_bytes: int,
) -> list[Candidate]:
    """The models that answer questions, fit memory with `SMALLEST_CONTEXT`, and fit the disk.

    Where a model is too large, a smaller quantization of it may take its place.
    """
    found: list[Candidate] = []
    for entry in entries:
        if "embedding" in entry.capabilities:
            continue
        forms = (each for each in _from_the_usual_one_down(entry) if _has_room(each, disk_free_bytes))
        fitting = (fitted(each, budget, engine, bandwidth) for each in forms)
        found += [each for each in fitting if each is not None][:1]
    return found


def _from_the_usual_one_down(entry: CatalogueEntry) -> Iterator[CatalogueEntry]:
    yield entry
    smaller = (each for each in entry.in_other_quantizations() if each.size_bytes < entry.size_bytes)
    yield from sorted(smaller, key=lambda each: each.size_bytes, reverse=True)


def _has_room(entry: CatalogueEntry, disk_free_bytes: int) -> bool:
    return entry.size_bytes + DISK_RESERVE_BYTES <= disk_free_bytes


def recommend(those: Sequence[Candidate], quality: Quality = catalogue_quality) -> list[Candidate]:
    """At most `MOST` of the candidates, the first of them the one to take.

    That is the best one that writes as fast as people read or, where none does, the fastest. Beside it: the
    best for code, and the best quick one or, where the first is quick already, the best that is still
    bearable.
    """

    def best(some: Iterable[Candidate]) -> Candidate | None:
        # Less than a point says nothing, so the faster of two near ones is the better.
        return max(some, key=lambda each: (round(quality(each.entry)), each.tokens_per_s), default=None)

    def at_least(tokens_per_s: float) -> list[Candidate]:
        return [each for each in those if each.tokens_per_s >= tokens_per_s]

    fluent = at_least(FLUENT_TOKENS_PER_S)
    first = best(fluent) or max(those, key=lambda each: each.tokens_per_s, default=None)
    if first is None:
        return []
    is_quick = first.tokens_per_s >= QUICK_TOKENS_PER_S
    coder = best(each for each in fluent if "code" in each.entry.capabilities)
    other = best(at_least(SLOW_TOKENS_PER_S if is_quick else QUICK_TOKENS_PER_S))
    chosen = [first]
    chosen += [each for each in (coder, other) if each is not None and each is not first]
    return list({each.entry.name: each for each in chosen}.values())[:MOST]
