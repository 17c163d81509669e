"""What a container may take: the limits of this process's control groups, and of those above them.

In version 2 a group is a folder under /sys/fs/cgroup; in version 1 each controller has such a tree of its
own. Inside a container the path that /proc/self/cgroup names may be the host's, so that only the root of the
tree is there: it is then the container's own group.
"""

import math
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

ROOT = Path("/")


class GroupMemory(Struct, frozen=True):
    """A group's memory in bytes: what it may take, and what it holds and can't give back at once."""

    limit_bytes: int
    used_bytes: int


def memory_limits(root: Path = ROOT) -> list[GroupMemory]:
    """The limits on main memory that hold for this process; none outside containers."""
    found: list[GroupMemory] = []
    for folder in _groups("memory", root):
        limit = _number(folder / "memory.max") or _number(folder / "memory.limit_in_bytes")
        if limit is None:
            continue
        used = _number(folder / "memory.current") or _number(folder / "memory.usage_in_bytes") or 0
        stat = _pairs(folder / "memory.stat")
        # Pages of files that nobody has used of late are given back before anything is refused.
        cached = stat.get("total_inactive_file", stat.get("inactive_file", 0))
        found.append(GroupMemory(limit, max(0, used - cached)))
    return found


def cpu_quota(root: Path = ROOT) -> int | None:
    """How many CPUs' worth of time this process may take, rounded up; None: no quota."""
    quotas = [quota for folder in _groups("cpu", root) if (quota := _quota(folder)) is not None]
    return max(1, math.ceil(min(quotas))) if quotas else None


def _quota(folder: Path) -> float | None:
    words = _text(folder / "cpu.max").split()
    if not words:
        words = [_text(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")]
    if len(words) != 2 or not all(word.isdecimal() for word in words) or int(words[1]) == 0:
        return None
    return int(words[0]) / int(words[1])


def _groups(controller: str, root: Path) -> Iterator[Path]:
    """Where this process's groups for a controller may lie, up to the root of each tree."""
    mount = root / "sys/fs/cgroup"
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if names and controller not in names.split(","):
            continue
        trees = [mount / controller] if names else [mount, mount / "unified"]
        parts = [part for part in path.split("/") if part not in ("", "..")]
        for tree in trees:
            for depth in range(len(parts), -1, -1):
                yield tree.joinpath(*parts[:depth])


def _text(path: Path) -> str:
    """A file's text; empty where there is none, or can't be one by that name."""
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except (OSError, ValueError):
        return ""


def _number(path: Path) -> int | None:
    """A file's number; None where there is no file, or it says "max"."""
    text = _text(path).strip()
    return int(text) if text.isdecimal() else None


def _pairs(path: Path) -> dict[str, int]:
    """A file of lines ``name number``."""
    pairs = (line.split() for line in _text(path).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}
