"""What a model would take of memory, what runs where, and the largest context that fits."""

from collections.abc import Callable

from isthmus.fit.nouns import Budget, Plan
from isthmus.fit.placement import place
from isthmus.fit.sizes import CELL_STEP
from isthmus.settings import EngineSettings
from isthmus.store.shape import ModelShape

CONTEXT_STEP = CELL_STEP
"""Contexts that are proposed are multiples of this many tokens."""
_SHOWN_CONTEXT = 4096
"""The context of a plan for a model that doesn't fit with any, where none was asked for."""


def plan(
    shape: ModelShape, budget: Budget, engine: EngineSettings, *, context_length: int | None = None
) -> Plan:
    """Say what a model would take, and where it would lie.

    Args:
        shape: Its sizes.
        budget: The memory that it may take.
        engine: How it is to be loaded.
        context_length: Tokens of context for all slots together, at most the trained ones; by default those
            of the settings or, where they name none, as many as fit.
    """
    most = max(shape.context_length, CONTEXT_STEP)
    fitting = CONTEXT_STEP * _largest(
        most // CONTEXT_STEP, lambda steps: place(shape, budget, engine, steps * CONTEXT_STEP).fits
    )
    context = min(context_length or engine.context_length or fitting or _SHOWN_CONTEXT, most)
    placement = place(shape, budget, engine, context)
    devices = placement.devices
    return Plan(
        context_length=context,
        weights_bytes=sum(device.weights for device in devices),
        kv_cache_bytes=sum(device.kv_cache for device in devices),
        compute_bytes=sum(device.compute for device in devices),
        overhead_bytes=sum(device.overhead for device in devices),
        total_bytes=sum(device.total for device in devices),
        ram_bytes=devices[0].total,
        gpu_bytes=sum(gpu.total for gpu in devices[1:]),
        max_context=fitting,
        fits=placement.fits,
        layers=len(shape.layers),
        gpu_layers=placement.gpu_layers,
        cpu_expert_layers=placement.cpu_expert_layers,
    )


def _largest(most: int, fits: Callable[[int], bool]) -> int:
    """The largest number up to ``most`` that fits, 0 where none does. Below one that fits, all do."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if fits(middle):
            low = middle
        else:
            high = middle - 1
    return low
