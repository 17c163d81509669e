"""What may be taken, and what a model would take."""

from msgspec import Struct


class Budget(Struct, frozen=True):
    """Memory that models may take, in bytes: of the main memory, and of each GPU."""

    ram_bytes: int
    gpu_bytes: tuple[int, ...] = ()

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return self.ram_bytes + sum(self.gpu_bytes)


class Plan(Struct, frozen=True, kw_only=True):
    """What a model takes of memory with a context of ``context_length`` tokens, and where it would lie.

    ``max_context`` is the largest context that fits the budget (0: not even the smallest), in tokens;
    ``fits`` whether the planned one does. ``gpu_layers`` of the layers lie on GPUs, and of those the experts
    of ``cpu_expert_layers`` stay in main memory.
    """

    context_length: int
    weights_bytes: int
    kv_cache_bytes: int
    compute_bytes: int
    total_bytes: int
    ram_bytes: int
    gpu_bytes: int
    max_context: int
    fits: bool
    layers: int
    gpu_layers: int = 0
    cpu_expert_layers: int = 0
