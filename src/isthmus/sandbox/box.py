"""A sandbox: start it, run commands, write and read files in it, end it with all that it holds."""

import math
import os
import signal
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import anyio
import anyio.to_thread

from isthmus.errors import SandboxError, SandboxUnavailable
from isthmus.sandbox import system
from isthmus.sandbox.cgroups import Group
from isthmus.sandbox.channel import Channel, Reply
from isthmus.sandbox.nouns import MIB, Completed, Limits
from isthmus.sandbox.probe import Bubblewrap, probe

START_TIMEOUT_S = 20.0
GRACE_S = 5.0
"""How much longer than a command's limit the agent may take to say how it ended."""

_OVERHEAD_BYTES = 64 * MIB
"""Memory for the agent, what it carries between a command and its parent, and the kernel's own records."""

_OWN_PROCESSES = 2
"""bubblewrap and the agent."""


class Sandbox:
    """A work folder and a few processes that can't see, reach or outlast anything but themselves.

    Use it as an async context manager. One command runs at a time. A command or a transfer that is
    cancelled ends the sandbox.

    Args:
        limits: What commands may take, unless a command has limits of its own.
        packages: Installed distributions that its Python may import: ("pytest",).
    """

    def __init__(self, limits: Limits | None = None, packages: Sequence[str] = ()) -> None:
        self.limits = limits or Limits()
        self._packages = tuple(packages)
        self._channel: Channel | None = None
        self._group: Group | None = None
        self._busy = anyio.Lock()

    async def __aenter__(self) -> Self:
        """Start it."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Start it; whoever calls this and not ``async with`` calls `close` too.

        Raises:
            SandboxUnavailable: No sandbox can be had on this machine.
            SandboxError: It didn't start.
            UsageError: One of the packages isn't installed.
        """
        found = await anyio.to_thread.run_sync(probe)
        if isinstance(found, SandboxUnavailable):
            raise SandboxUnavailable(found.message, hint=found.hint)
        try:
            with anyio.fail_after(START_TIMEOUT_S):
                channel = await self._start(found)
                await channel.answer()
        except TimeoutError:
            await self.close()
            raise SandboxError(f"a sandbox didn't start within {START_TIMEOUT_S:.0f} s") from None
        except BaseException:
            await self.close()
            raise

    async def run(
        self,
        command: Sequence[str],
        *,
        stdin: str | bytes = b"",
        limits: Limits | None = None,
        cwd: str = system.WORK,
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run a command to its end; what it leaves running is ended with it.

        Args:
            command: A program, found in the sandbox's PATH, and its arguments.
            stdin: What it reads.
            limits: Instead of the sandbox's; memory and disk stay the sandbox's.
            cwd: Where it runs; relative to the work folder.
            env: Variables beside the few that there are.

        Raises:
            SandboxError: The sandbox itself ended.
        """
        limits = limits or self.limits
        killed = self._group.out_of_memory() if self._group else 0
        request: dict[str, Any] = {
            "do": "run",
            "command": [_sendable(each) for each in command],
            "cwd": _sendable(cwd),
            "env": system.environment(self._packages)
            | {_sendable(name): _sendable(value) for name, value in (env or {}).items()},
            "rlimits": self._rlimits(limits),
            "wall_s": limits.wall_s,
            "cpu_s": limits.cpu_s,
            "output": limits.output_bytes,
            "memory": self.limits.memory_bytes,
            "watch_memory": self._group is None,
        }
        reply = await self._ask(request, _bytes(stdin), limits.wall_s + GRACE_S)
        if self._group and self._group.out_of_memory() > killed and not reply.header["stopped"]:
            reply.header["stopped"] = "memory"
        return _completed(reply)

    async def write(self, path: str, data: str | bytes, *, executable: bool = False) -> None:
        """Write a file, and make the folders above it; a relative path is relative to the work folder.

        Raises:
            OSError: It can't be written there, or there is no room.
            SandboxError: The sandbox itself ended.
        """
        request = {"do": "write", "path": _sendable(path), "mode": 0o755 if executable else 0o644}
        await self._ask(request, _bytes(data), START_TIMEOUT_S)

    async def read(self, path: str, *, limit_bytes: int = MIB) -> bytes:
        """Read a file.

        Raises:
            OSError: It isn't there, is no plain file, or is larger than it may be (``EFBIG``).
            SandboxError: The sandbox itself ended.
        """
        request = {"do": "read", "path": _sendable(path), "limit": limit_bytes}
        return (await self._ask(request, b"", START_TIMEOUT_S)).body

    async def close(self) -> None:
        """End everything in it, and let go of its memory. What it held is gone."""
        channel, group = self._channel, self._group
        self._channel = self._group = None
        with anyio.CancelScope(shield=True):
            if channel is not None:
                await channel.close()
        if group is not None:
            group.remove()

    # ---------------------------------------------------------------- the process

    async def _start(self, found: Bubblewrap) -> Channel:
        """Start bubblewrap, which waits for its options until its control group is set."""
        filter_fd = system.readable(found.filter)
        options_fd, writing = os.pipe()
        try:
            options = system.options(self.limits, self._packages, filter_fd)
            process = await anyio.open_process(
                [found.path, "--args", str(options_fd), "--", *system.agent()],
                pass_fds=[filter_fd, options_fd],
                env={},
            )
            self._channel = Channel(process)
            if found.groups is not None:
                size = self.limits.memory_bytes + 3 * self.limits.disk_bytes + _OVERHEAD_BYTES
                self._group = Group(found.groups, size, self.limits.processes + _OWN_PROCESSES)
                self._group.add(process.pid)
            os.write(writing, b"\0".join(os.fsencode(each) for each in options))
        except OSError as error:
            raise SandboxError(f"a sandbox can't be started: {error.strerror or error}") from error
        finally:
            for each in (filter_fd, options_fd, writing):
                os.close(each)
        return self._channel

    def _rlimits(self, limits: Limits) -> dict[str, tuple[int, int]]:
        """A command's resource limits, soft and hard."""
        cpu_s = math.ceil(limits.cpu_s)
        most = {
            "RLIMIT_NPROC": min(limits.processes, self.limits.processes) + _OWN_PROCESSES,
            "RLIMIT_NOFILE": limits.open_files,
            "RLIMIT_FSIZE": limits.file_bytes,
            "RLIMIT_CORE": 0,
            "RLIMIT_MEMLOCK": 0,
            "RLIMIT_MSGQUEUE": 0,
        }
        if self._group is None:
            most["RLIMIT_AS"] = self.limits.memory_bytes
        return {"RLIMIT_CPU": (cpu_s, cpu_s + 1)} | {name: (value, value) for name, value in most.items()}

    async def _ask(self, request: Mapping[str, Any], body: bytes, timeout_s: float) -> Reply:
        """Ask the agent; whatever goes wrong on the way ends the sandbox."""
        async with self._busy:
            if self._channel is None:
                raise SandboxError("the sandbox has ended")
            try:
                with anyio.fail_after(timeout_s):
                    reply = await self._channel.ask(request, body)
            except TimeoutError:
                await self.close()
                raise SandboxError(f"the sandbox didn't answer within {timeout_s:.0f} s") from None
            except BaseException:
                await self.close()
                raise
        if "errno" in reply.header:
            raise OSError(reply.header["errno"], reply.header["strerror"], request.get("path"))
        return reply


async def run(
    command: Sequence[str],
    *,
    files: Mapping[str, str | bytes] | None = None,
    stdin: str | bytes = b"",
    limits: Limits | None = None,
    packages: Sequence[str] = (),
) -> Completed:
    """Run one command in a sandbox of its own.

    Args:
        command: A program and its arguments; it runs in the work folder.
        files: What lies in the work folder: text or bytes by relative path.
        stdin: What it reads.
        limits: What it may take.
        packages: Installed distributions that its Python may import: ("pytest",).

    Raises:
        SandboxUnavailable: No sandbox can be had on this machine.
        SandboxError: The sandbox itself failed.
        OSError: The files don't fit in.
        UsageError: One of the packages isn't installed.
    """
    async with Sandbox(limits, packages) as sandbox:
        for path, data in (files or {}).items():
            await sandbox.write(path, data)
        return await sandbox.run(command, stdin=stdin)


def _completed(reply: Reply) -> Completed:
    header, body = reply.header, reply.body
    split, number = int(header["stdout_bytes"]), header["signal"]
    return Completed(
        stdout=body[:split].decode(errors="replace"),
        stderr=body[split:].decode(errors="replace"),
        exit=header["exit"],
        signal=None if number is None else _signal_name(number),
        stopped=header["stopped"],
        cut=header["cut"],
        cpu_s=header["cpu_s"],
        wall_s=header["wall_s"],
        memory_peak_bytes=header["memory_peak_bytes"],
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _bytes(data: str | bytes) -> bytes:
    return data.encode(errors="replace") if isinstance(data, str) else data


def _sendable(text: str) -> str:
    """A text as UTF-8 has it: half a character, which a model may write, becomes a question mark."""
    return text.encode(errors="replace").decode()
