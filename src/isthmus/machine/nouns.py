"""The parts of a machine, as far as they decide what it can run."""

from typing import Literal

from msgspec import Struct


class Cpu(Struct, frozen=True):
    """A processor; ``features`` are the instruction sets that it announces, in llama.cpp's words (AVX512)."""

    model: str
    cores: int
    threads: int
    features: tuple[str, ...] = ()


class Gpu(Struct, frozen=True):
    """A graphics processor. ``unified`` says that it shares the main memory, as Apple's do."""

    vendor: Literal["nvidia", "amd", "apple", "intel", "other"]
    name: str
    memory_bytes: int
    free_bytes: int
    unified: bool = False


class Machine(Struct, frozen=True):
    """``available_bytes`` of main memory can be had now; ``disk_free_bytes`` is of the store's disk."""

    system: str
    architecture: str
    cpu: Cpu
    memory_bytes: int
    available_bytes: int
    disk_free_bytes: int
    gpus: tuple[Gpu, ...] = ()
