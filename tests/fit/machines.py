"""Machines, from a small laptop to a server."""

from isthmus.fit import Budget
from isthmus.machine import Cpu, Gpu, Machine

GIB = 1 << 30


def gpu(name: str, gib: float, vendor: str = "nvidia", *, unified: bool = False) -> Gpu:
    return Gpu(vendor, name, int(gib * GIB), int(gib * GIB), unified)


def machine(cores: int, gib: float, *gpus: Gpu, disk_gib: float = 1000) -> Machine:
    """A machine, most of whose memory is free."""
    return Machine(
        system="Linux",
        architecture="x86_64",
        cpu=Cpu("a processor", cores, 2 * cores),
        memory_bytes=int(gib * GIB),
        available_bytes=int(gib * 0.8 * GIB),
        disk_free_bytes=int(disk_gib * GIB),
        gpus=gpus,
    )


def memory(gib: float, *gpus_gib: float) -> Budget:
    return Budget(int(gib * GIB), tuple(int(each * GIB) for each in gpus_gib))
