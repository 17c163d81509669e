"""Which machines serve a model, of those that people have or can rent: facts, no recommendations.

Memory is what the device's own tools show as its whole, in GiB. Of an Apple machine's, which its GPU shares,
three quarters are the GPU's (Metal's ``recommendedMaxWorkingSetSize``).
"""

from collections.abc import Iterator

from msgspec import Struct

from isthmus.fit.nouns import Budget
from isthmus.fit.placement import lay_out
from isthmus.settings import EngineSettings
from isthmus.store.shape import ModelShape

_GIB = 1 << 30
_HOST_BYTES = 64 << 30
"""Main memory of a machine that such GPUs are put into."""


class Accelerator(Struct, frozen=True):
    """A GPU; ``counts`` are how many of them machines have, side by side or over several machines."""

    name: str
    memory_gib: int
    counts: tuple[int, ...]
    unified: bool = False


class Hardware(Struct, frozen=True):
    """So many of a GPU: enough for a model."""

    name: str
    count: int
    memory_bytes: int

    def __str__(self) -> str:
        return self.name if self.count == 1 else f"{self.count} x {self.name}"


_DESK, _SERVER = (1, 2, 4), (1, 2, 4, 8, 16, 32)

ACCELERATORS = (
    Accelerator("RTX 4090 (24 GB)", 24, _DESK),
    Accelerator("RTX 5090 (32 GB)", 32, _DESK),
    *(
        Accelerator(f"Apple M-series ({gib} GB)", gib, (1,), unified=True)
        for gib in (16, 24, 32, 48, 64, 96, 128, 256, 512)
    ),
    Accelerator("A100 or H100 (80 GB)", 80, _SERVER),
    Accelerator("H200 (141 GB)", 140, _SERVER),
    Accelerator("B200 (180 GB)", 179, _SERVER),
    Accelerator("MI300X (192 GB)", 192, _SERVER),
)

PUBLISHED_UNITS = {
    "kimi-k2": "16 H200 or H20 for the published block-fp8 weights at 128k context (Kimi-K2's README)",
}
"""What a model's makers themselves name, by the beginning of its name."""

_MAIN_MEMORY_GIB = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048)


def serving(shape: ModelShape, engine: EngineSettings, context_length: int) -> list[Hardware]:
    """What holds all of a model on GPUs with that context, the least memory first.

    Of each kind it is the smallest count, and of Apple's machines only the smallest.
    """
    found = [
        hardware for each in ACCELERATORS if (hardware := _smallest(each, shape, engine, context_length))
    ]
    apple = [hardware for hardware in found if hardware.name.startswith("Apple")]
    return sorted(
        (hardware for hardware in found if hardware not in apple[1:]),
        key=lambda hardware: hardware.memory_bytes,
    )


def main_memory(shape: ModelShape, engine: EngineSettings, context_length: int) -> int | None:
    """Main memory of a machine that runs it without a GPU, in bytes; None where none that is built does."""
    needed = lay_out(shape, Budget(0), engine, context_length, 0, 0).devices[0].total
    # The system takes its tenth.
    return next((gib * _GIB for gib in _MAIN_MEMORY_GIB if needed <= gib * _GIB * 9 // 10), None)


def _smallest(
    accelerator: Accelerator, shape: ModelShape, engine: EngineSettings, context_length: int
) -> Hardware | None:
    memory = accelerator.memory_gib * _GIB
    for count, budget in _budgets(accelerator):
        if lay_out(shape, budget, engine, context_length, len(shape.layers) + 1, 0).fits:
            return Hardware(accelerator.name, count, count * memory)
    return None


def _budgets(accelerator: Accelerator) -> Iterator[tuple[int, Budget]]:
    memory = accelerator.memory_gib * _GIB
    for count in accelerator.counts:
        if accelerator.unified:
            yield count, Budget(memory // 8, (memory * 3 // 4,))
        else:
            yield count, Budget(_HOST_BYTES, (memory,) * count)


def published_unit(name: str) -> str | None:
    """The hardware that a model's makers name for it, where they do; ``name`` is the model's."""
    plain = name.lower().replace(" ", "-")
    return next((unit for start, unit in PUBLISHED_UNITS.items() if plain.startswith(start)), None)
