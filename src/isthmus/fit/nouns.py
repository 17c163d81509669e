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

    ``total_bytes`` is the sum of ``weights_bytes``, ``kv_cache_bytes``, ``compute_bytes`` and
    ``overhead_bytes`` (the worker itself, its vocabulary, second copies of weights), and also the sum of
    ``ram_bytes`` and ``gpu_bytes``. ``max_context`` is the largest context that fits the budget (0: not even
    the smallest), in tokens; ``fits`` whether the planned one does. ``gpu_layers`` lie on GPUs, counted from
    the last as llama.cpp counts them: the output matrix is one more. The experts of the first
    ``cpu_expert_layers`` layers stay in main memory.
    """

    context_length: int
    weights_bytes: int
    kv_cache_bytes: int
    compute_bytes: int
    overhead_bytes: int
    total_bytes: int
    ram_bytes: int
    gpu_bytes: int
    max_context: int
    fits: bool
    layers: int
    gpu_layers: int = 0
    cpu_expert_layers: int = 0
