"""The parts of a machine, as far as they decide what it can run."""

from typing import Literal

from msgspec import Struct

Vendor = Literal["nvidia", "amd", "apple", "intel", "other"]


class Cpu(Struct, frozen=True):
    """A processor, as far as this process may use it.

    ``cores`` are physical, ``threads`` what runs at once. ``features`` are the instruction sets that it
    announces, in llama.cpp's words (AVX512).
    """

    model: str
    cores: int
    threads: int
    features: tuple[str, ...] = ()


class Memory(Struct, frozen=True):
    """Main memory in bytes, within the limits of this process's container: all, and what can be had now."""

    total_bytes: int
    available_bytes: int


class Gpu(Struct, frozen=True):
    """A graphics processor. ``unified`` says that it shares the main memory, as Apple's do.

    ``memory_bytes`` is what models may take of its memory, 0 where nobody can tell. ``driver`` is the
    version of its driver (AMD: of ROCm), ``architecture`` what programs are compiled for (8.9, gfx1100).
    """

    vendor: Vendor
    name: str
    memory_bytes: int
    free_bytes: int
    unified: bool = False
    driver: str = ""
    architecture: str = ""


class Machine(Struct, frozen=True):
    """``available_bytes`` of main memory can be had now; ``disk_free_bytes`` is of the store's disk."""

    system: str
    architecture: str
    cpu: Cpu
    memory_bytes: int
    available_bytes: int
    disk_free_bytes: int
    gpus: tuple[Gpu, ...] = ()
