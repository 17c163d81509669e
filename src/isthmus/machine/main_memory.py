"""Main memory: how much there is, and how much can be had now. Cheap enough to be asked before each load."""

from pathlib import Path

import psutil

from isthmus.machine.cgroup import ROOT, memory_limits
from isthmus.machine.nouns import Memory


def memory(root: Path = ROOT) -> Memory:
    """Main memory, within the limits of this process's container.

    Args:
        root: Where /proc and /sys lie; for tests.
    """
    whole = psutil.virtual_memory()
    total, available = int(whole.total), int(whole.available)
    for group in memory_limits(root):
        total = min(total, group.limit_bytes)
        available = min(available, max(0, group.limit_bytes - group.used_bytes))
    return Memory(total, available)
