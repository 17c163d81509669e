"""What processes take: memory, and time on the CPU."""

import contextlib

import psutil
from msgspec import Struct


class Memory(Struct, frozen=True):
    """MiB of memory. ``rss`` counts shared pages wholly, ``pss`` (Linux) by what falls to the process."""

    rss_mb: float
    pss_mb: float | None


def family(pid):
    """A process and all that it started, itself first."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def memory(processes):
    """What they take together; one that has ended takes nothing."""
    rss, pss = 0, 0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            full = process.memory_full_info()
            rss += full.rss
            pss = None if pss is None or not hasattr(full, "pss") else pss + full.pss
    return Memory(round(rss / 2**20, 1), None if pss is None else round(pss / 2**20, 1))


def cpu_s(processes):
    """Seconds of CPU that they have used so far."""
    used = 0.0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            used += times.user + times.system
    return used
