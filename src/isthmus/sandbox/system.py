"""What a sandbox sees, as bubblewrap's options: a read-only system, a Python, empty folders to write in."""

import functools
import os
import re
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

from isthmus.errors import UsageError
from isthmus.sandbox.nouns import Limits

WORK = "/work"
USER = "1000"
ENVIRONMENT = {
    "PATH": "/opt/bin:/usr/local/bin:/usr/bin:/bin",
    "HOME": WORK,
    "TMPDIR": "/tmp",  # noqa: S108 - the sandbox's own
    "LANG": "C.UTF-8",
    "USER": "sandbox",
}
"""All that a command finds in its environment."""

_NAME = re.compile(r"[\w.-]+")
_HERE = Path(__file__).parent
_AGENT = "/opt/agent.py"
_PACKAGES = "/opt/packages"
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store")
_CONFIGURATION = ("/etc/alternatives", "/etc/ld.so.cache", "/etc/localtime")
_MACHINE = (
    *(
        "kallsyms",
        "kcore",
        "keys",
        "key-users",
        "kmsg",
        "kpagecount",
        "kpagecgroup",
        "kpageflags",
        "latency_stats",
    ),
    *("pagetypeinfo", "sched_debug", "slabinfo", "sysrq-trigger", "timer_list", "timer_stats", "vmallocinfo"),
    *("interrupts", "iomem", "ioports", "mtrr", "softirqs"),
)
"""Files of /proc that tell of the whole machine; root's processes could read or write them even in here."""


def options(limits: Limits, packages: Sequence[str], filter_fd: int) -> list[str]:
    """The options that bubblewrap is started with.

    Raises:
        UsageError: One of the packages isn't installed.
    """
    return [
        *("--unshare-all", "--unshare-user", "--uid", USER, "--gid", USER, "--hostname", "sandbox"),
        *("--cap-drop", "ALL", "--die-with-parent", "--new-session", "--as-pid-1", "--clearenv"),
        *("--seccomp", str(filter_fd)),
        *_folders(limits),
        *_system(),
        *_python(),
        *_installed(packages),
        *("--remount-ro", "/", "--chdir", WORK),
    ]


def agent() -> list[str]:
    """The command that a sandbox begins with."""
    return [python(), "-I", "-S", "-B", _AGENT]


def readable(data: bytes) -> int:
    """A file descriptor with a few kilobytes to read; the caller closes it."""
    reading, writing = os.pipe()
    os.write(writing, data)
    os.close(writing)
    return reading


def environment(packages: Sequence[str]) -> dict[str, str]:
    """The environment of a command."""
    return ENVIRONMENT | ({"PYTHONPATH": _PACKAGES} if packages else {})


def python() -> str:
    """The Python that a sandbox has: the one this process runs on, outside of any virtual environment."""
    return str(Path(sys.executable).resolve())


def _folders(limits: Limits) -> Iterator[str]:
    yield from ("--proc", "/proc", "--dev", "/dev")
    for folder in (WORK, "/tmp", "/dev/shm"):  # noqa: S108 - the sandbox's own
        yield from ("--perms", "0700", "--size", str(limits.disk_bytes), "--tmpfs", folder)
    yield from ("--remount-ro", "/dev")
    # For the kernel a file below /proc/sys belongs to root, who needs no capability to write it: core_pattern
    # names a program that runs outside of every sandbox.
    for name in ("sys", "pressure", "fs", "driver", "acpi", "scsi"):
        yield from ("--ro-bind-try", f"/proc/{name}", f"/proc/{name}")
    for name in _MACHINE:
        if Path("/proc", name).exists():
            yield from ("--ro-bind", "/dev/null", f"/proc/{name}")


def _system() -> Iterator[str]:
    for path in map(Path, _SYSTEM):
        if path.is_symlink():  # /bin is usr/bin nearly everywhere
            yield from ("--symlink", str(path.readlink()), str(path))
        elif path.is_dir():
            yield from ("--ro-bind", str(path), str(path))
    for path in _CONFIGURATION:
        yield from ("--ro-bind-try", path, path)
    for path in sorted((_HERE / "etc").iterdir()):
        yield from ("--ro-bind", str(path), f"/etc/{path.name}")


def _python() -> Iterator[str]:
    """This Python at its own path, without the packages that happen to be installed for it; and the agent.

    Of the folder it is installed in, which may be somebody's home, only program and library are bound.
    """
    executable = Path(python())
    home = executable.parent.parent
    if not home.is_relative_to("/usr"):
        yield from ("--ro-bind", str(executable), str(executable))
        for lib in ("lib", "lib64"):
            if home != Path("/") and (home / lib).is_dir():
                yield from ("--ro-bind", str(home / lib), str(home / lib))
    for place in _places_of_packages(home):
        yield from ("--tmpfs", str(place), "--remount-ro", str(place))
    for name in ("python", "python3"):
        yield from ("--symlink", str(executable), f"/opt/bin/{name}")
    yield from ("--ro-bind", str(_HERE / "agent.py"), _AGENT)


def _places_of_packages(home: Path) -> Iterator[Path]:
    """Where packages are installed for the Python in a folder; Debian has its own ideas."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for lib in ("lib", "lib64", "local/lib"):
        for place in (f"{version}/site-packages", f"{version}/dist-packages", "python3/dist-packages"):
            path = home / lib / place
            if path.is_dir() and not path.is_symlink() and path.resolve() == path:
                yield path


def _installed(packages: Sequence[str]) -> Iterator[str]:
    """Distributions of this process's environment, and what they need, for a command to import."""
    for name, path in distributed(tuple(packages)):
        yield from ("--ro-bind", str(path), f"{_PACKAGES}/{name}")


@functools.cache
def distributed(packages: tuple[str, ...]) -> tuple[tuple[str, Path], ...]:
    """The folders and modules at the top of some distributions and of all that these need, by name.

    Raises:
        UsageError: One of the distributions isn't installed.
    """
    found: dict[str, Path] = {}
    seen: set[str] = set()
    waiting = list(packages)
    while waiting:
        name = waiting.pop()
        if name.lower() in seen:
            continue
        seen.add(name.lower())
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            if name not in packages:
                continue  # needed on another system, or by another Python
            raise UsageError(
                f"the package {name!r}, which the sandbox should have, isn't installed",
                hint=f"pip install {name}",
            ) from None
        base = Path(str(distribution.locate_file("")))
        tops = {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}
        found |= {top: base / top for top in tops if (base / top).exists()}
        needed = (each for each in distribution.requires or () if "extra ==" not in each)
        waiting += [start[0] for each in needed if (start := _NAME.match(each))]
    return tuple(sorted(found.items()))
