"""What this machine is: its processor, its memory, its GPUs, its disk."""

from isthmus.machine.nouns import Cpu, Gpu, Machine

__all__ = ["Cpu", "Gpu", "Machine"]
