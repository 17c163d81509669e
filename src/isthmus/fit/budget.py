"""How much memory models may take together."""

from collections.abc import Sequence

from isthmus.fit.nouns import Budget
from isthmus.machine import Gpu, Memory
from isthmus.settings import EngineSettings

_MIB = 1 << 20
_MOST_LEFT_FREE = 2 << 30
_WORKERS_SHARE = 8


def weights_room(budget: Budget) -> int:
    """The largest weights, in bytes, that leave a fifth of the memory for their context and the worker."""
    return budget.total_bytes * 4 // 5


def budget_of(engine: EngineSettings, main: Memory, gpus: Sequence[Gpu]) -> Budget:
    """What models may take, by the settings or, where they leave it open, without crowding out the rest.

    A tenth of the main memory, at most 2 GiB, is left to the system. GPUs get what they can hold, but for an
    eighth of the main memory that can be had: workers and token embeddings lie there whatever GPUs there are.

    Args:
        engine: ``memory_mb`` is for all kinds of memory together.
        main: Main memory.
        gpus: Those that the engine can use. What they share with the main memory counts once.
    """
    spare = max(0, main.available_bytes - min(main.total_bytes // 10, _MOST_LEFT_FREE))
    whole = engine.memory_mb * _MIB or spare + sum(gpu.free_bytes for gpu in gpus if not gpu.unified)
    left = whole - min(spare, whole) // _WORKERS_SHARE
    on_gpus: list[int] = []
    for gpu in gpus:
        size = min(gpu.free_bytes, left, spare) if gpu.unified else min(gpu.free_bytes, left)
        on_gpus.append(size)
        left -= size
    return Budget(whole - sum(on_gpus), tuple(on_gpus))
