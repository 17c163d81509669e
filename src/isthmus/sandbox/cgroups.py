"""Control groups: where the kernel counts a sandbox's memory and processes together, and stops at a limit.

They can be used where somebody has delegated them: root's everywhere, a user's under systemd's user session.
In version 2 a sandbox's group is made beside this process's own (a group with processes in it can't have
children that are limited), in version 1 below it, once a controller. Without them resource limits remain,
which hold for each process alone.
"""

import os
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from msgspec import Struct

ROOT = Path("/")
PREFIX = "isthmus-"
_NEEDED = frozenset({"memory", "pids"})
_numbers = count()


class Parents(Struct, frozen=True):
    """Where groups may be made: one folder for both controllers (version 2), or one for each (version 1)."""

    memory: Path
    pids: Path

    @property
    def unified(self) -> bool:
        """Whether it is version 2."""
        return self.memory == self.pids


class Group:
    """A sandbox's control group.

    Args:
        parents: Where it is made.
        memory_bytes: What its processes, and the files that they keep in memory, may take.
        processes: How many processes and threads may run at a time.

    Raises:
        OSError: It can't be made.
    """

    def __init__(self, parents: Parents, memory_bytes: int, processes: int) -> None:
        name = f"{PREFIX}{os.getpid()}-{next(_numbers)}"
        self._memory, self._pids = parents.memory / name, parents.pids / name
        self._unified = parents.unified
        try:
            for folder in {self._memory, self._pids}:
                folder.mkdir()
            self._set(memory_bytes, processes)
        except OSError:
            self.remove()
            raise

    def _set(self, memory_bytes: int, processes: int) -> None:
        _write(self._pids / "pids.max", processes)
        if self._unified:
            _write(self._memory / "memory.max", memory_bytes)
            _write_where_it_is(self._memory / "memory.swap.max", 0)
        else:
            _write(self._memory / "memory.limit_in_bytes", memory_bytes)
            _write_where_it_is(self._memory / "memory.memsw.limit_in_bytes", memory_bytes)

    def add(self, pid: int) -> None:
        """Put a process, and what it will start, into the group."""
        for folder in {self._memory, self._pids}:
            _write(folder / "cgroup.procs", pid)

    def out_of_memory(self) -> int:
        """How often the kernel has ended a process here because memory was out."""
        name = "memory.events" if self._unified else "memory.oom_control"
        for line in _text(self._memory / name).splitlines():
            key, _, value = line.partition(" ")
            if key == "oom_kill":
                return int(value)
        return 0

    def remove(self) -> None:
        """Take the group away; its processes have ended, though the kernel may take a moment to notice."""
        for folder in {self._memory, self._pids}:
            for pause in (0.0, 0.001, 0.01, 0.05):
                time.sleep(pause)
                if _removed(folder):
                    break


def parents(root: Path = ROOT) -> Parents | None:
    """Where this process may make groups that limit memory and processes; None: nowhere."""
    own = _own_groups(root)
    unified = own.get("")
    if unified is not None:
        for folder in unified:
            delegated = _NEEDED.issubset(_text(folder / "cgroup.subtree_control").split())
            if delegated and os.access(folder, os.W_OK) and os.access(folder / "cgroup.procs", os.W_OK):
                return Parents(folder, folder)
    memory, pids = (next(filter(_may_have_children, own.get(name, [])), None) for name in ("memory", "pids"))
    return Parents(memory, pids) if memory and pids else None


def sweep(where: Parents) -> None:
    """Take away the groups of processes that were killed before they could."""
    for folder in {where.memory, where.pids}:
        for group in folder.glob(f"{PREFIX}*-*"):
            owner = group.name.removeprefix(PREFIX).partition("-")[0]
            if owner.isdecimal() and not Path(f"/proc/{owner}").exists():
                _removed(group)


def _may_have_children(folder: Path) -> bool:
    return (folder / "cgroup.procs").exists() and os.access(folder, os.W_OK)


def _own_groups(root: Path) -> dict[str, list[Path]]:
    """By controller ("" is version 2): the folder of this process's group, and those above it."""
    mount = root / "sys/fs/cgroup"
    found: dict[str, list[Path]] = {}
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, names, path = line.split(":", 2)
        for name in names.split(","):
            tree = mount / name if name else mount
            found[name] = [each for each in _upwards(tree, path) if each.is_dir()]
    return found


def _upwards(tree: Path, path: str) -> Iterator[Path]:
    parts = [part for part in path.split("/") if part not in ("", "..")]
    for depth in range(len(parts), -1, -1):
        yield tree.joinpath(*parts[:depth])


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _write(path: Path, value: int) -> None:
    path.write_text(str(value), encoding="ascii")


def _write_where_it_is(path: Path, value: int) -> None:
    """Write a limit on swap, which a kernel without swap accounting doesn't have."""
    if path.exists():
        _write(path, value)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
