"""What this machine can run, as `search`, `recommend`, `list`, `show` and the first run look at it."""

import math
from typing import Any

from msgspec import Struct

from isthmus.cli.amounts import size
from isthmus.engines.builds import chosen, driven_by, read_measurements
from isthmus.fit import Budget, budget_of
from isthmus.fit.recommendation import Candidate, candidates, fitted, recommend
from isthmus.fit.speed import Bandwidth, assumed_bandwidth, measured_bandwidth, speed_class
from isthmus.machine import Gpu, Machine, Memory, survey
from isthmus.settings import Settings
from isthmus.store import CATALOGUE, CatalogueEntry, find

ASSUMED_BYTES_PER_S = 6_250_000.0
"""50 Mbit/s: what a line is taken for until it is measured."""


class Line(Struct, frozen=True):
    """How fast weights would come through the line to the Hub."""

    bytes_per_s: float = ASSUMED_BYTES_PER_S
    measured: bool = False

    def __str__(self) -> str:
        return f"{'a measured' if self.measured else 'an assumed'} {size(self.bytes_per_s)}/s"


class Outlook(Struct, frozen=True):
    """The machine, the memory that models may take, and how fast it moves weights.

    ``gpus`` are those of the machine's that the engine drives.
    """

    settings: Settings
    machine: Machine
    gpus: tuple[Gpu, ...]
    budget: Budget
    bandwidth: Bandwidth

    @property
    def idle_gpus(self) -> str:
        """The GPUs that the engine leaves idle, by name; empty where there are none."""
        return ", ".join(gpu.name for gpu in self.machine.gpus if gpu not in self.gpus)

    def of(self, entry: CatalogueEntry) -> Candidate | None:
        """The model as it would run here; None where it doesn't fit, or nobody knows its shape."""
        return fitted(entry, self.budget, self.settings.engine, self.bandwidth)

    def recommended(self) -> list[Candidate]:
        """The few models to recommend, the first of them the one to take."""
        return recommend(
            candidates(
                CATALOGUE,
                budget=self.budget,
                engine=self.settings.engine,
                bandwidth=self.bandwidth,
                disk_free_bytes=self.machine.disk_free_bytes,
            )
        )


def look(settings: Settings) -> Outlook:
    """Look at the machine. Takes milliseconds, or as long as a GPU's driver takes to answer.

    Its GPUs count where the engine that runs models drives them.

    Raises:
        SettingsError: The settings name an engine build that isn't there.
    """
    machine = survey(settings.home_path)
    gpus = driven_by(chosen(settings.home_path, settings.engine.build), machine.gpus)
    budget = budget_of(settings.engine, Memory(machine.memory_bytes, machine.available_bytes), gpus)
    return Outlook(settings, machine, gpus, budget, _bandwidth(settings, machine, gpus))


def describe(machine: Machine) -> str:
    """The machine in a line."""
    gpus = [f"{gpu.name} with {size(gpu.memory_bytes)}" for gpu in machine.gpus]
    memory = f"{size(machine.memory_bytes)} of memory, {size(machine.available_bytes)} of it free"
    disk = f"{size(machine.disk_free_bytes)} free on the disk"
    return ", ".join((f"{machine.cpu.cores} CPU cores", memory, *gpus, disk))


def speed(candidate: Candidate) -> str:
    """About how fast it would write."""
    tokens = candidate.tokens_per_s
    return f"about {tokens:.0f} tokens/s" if tokens >= 1 else "under 1 token/s"


def columns(candidate: Candidate, line: Line) -> tuple[str, ...]:
    """A recommendation's line in a table: name, size, speed, time to fetch, what it is good at."""
    entry = candidate.entry
    fetching = _about(entry.size_bytes / line.bytes_per_s)
    return entry.name, size(entry.size_bytes), speed(candidate), fetching, entry.description


COLUMNS = ("NAME", "SIZE", "SPEED", "TO FETCH", "GOOD AT")


def as_object(candidate: Candidate, line: Line) -> dict[str, Any]:
    """A recommendation for programs."""
    entry = candidate.entry
    return {
        "name": entry.name,
        "description": entry.description,
        "licence": entry.licence,
        "quantization": entry.quantization,
        "size_bytes": entry.size_bytes,
        "context_length": entry.context_length,
        "max_context": candidate.plan.max_context,
        "memory_bytes": candidate.plan.total_bytes,
        "tokens_per_s": round(candidate.tokens_per_s, 1),
        "speed": speed_class(candidate.tokens_per_s),
        "fetch_s": round(entry.size_bytes / line.bytes_per_s, 1),
        "quality": entry.quality,
        "evidence": entry.evidence,
    }


def _about(seconds: float) -> str:
    """A duration that nobody knows to the second."""
    if seconds < 100:
        return f"about {math.ceil(seconds)} s"
    return f"about {seconds / 60:.0f} min" if seconds < 6000 else f"about {seconds / 3600:.1f} h"


def _bandwidth(settings: Settings, machine: Machine, gpus: tuple[Gpu, ...]) -> Bandwidth:
    """What the fastest engine was measured to reach, else what the machine's parts let one assume."""
    assumed = assumed_bandwidth(machine.cpu, gpus)
    measurements = read_measurements(settings.home_path)
    probe = find(measurements.model) if measurements and measurements.model else None
    if measurements is None or probe is None or probe.shape is None:
        return assumed
    best = max(
        (trial.build for trial in measurements.current() if trial.build.decode_tokens_per_s),
        key=lambda build: build.decode_tokens_per_s or 0.0,
        default=None,
    )
    if best is None or not best.decode_tokens_per_s:
        return assumed
    on_gpu = best.device is not None
    return measured_bandwidth(assumed, probe.shape, best.decode_tokens_per_s, gpu=on_gpu)
