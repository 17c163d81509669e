"""What this machine is: its processor, its memory, its GPUs, its disk."""

from isthmus.machine.main_memory import memory
from isthmus.machine.nouns import Cpu, Gpu, Machine, Memory
from isthmus.machine.surveyor import survey

__all__ = ["Cpu", "Gpu", "Machine", "Memory", "memory", "survey"]
