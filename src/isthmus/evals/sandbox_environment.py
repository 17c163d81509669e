"""The sandbox ``bubblewrap`` for Inspect: a sample's commands run in one of ours. Needs the extra ``evals``.

A task asks for it by name (``sandbox="bubblewrap"``), and may say what its commands may take:
``sandbox=("bubblewrap", BubblewrapConfig(memory_mib=1024))``. There is one user, and none to become.
"""

import errno
import signal
from typing import Any, Literal, overload

from inspect_ai.util import (
    ExecResult,
    OutputLimitExceededError,
    SandboxEnvironment,
    SandboxEnvironmentConfigType,
    SandboxEnvironmentLimits,
    SandboxUnavailableError,
    SandboxUserUnsupportedError,
    sandboxenv,
)
from msgspec.structs import replace
from pydantic import BaseModel

from isthmus.errors import SandboxError
from isthmus.sandbox import Completed, Limits, Sandbox, unavailable

USER = "sandbox"
KIB, MIB = 1 << 10, 1 << 20
_NO_TIMEOUT_S = 3600.0
"""A command without a time limit of its own ends after an hour all the same."""

_SIGNALLED = 128
"""Shells add it to the number of the signal that ended a command; so do Inspect's other sandboxes."""


class BubblewrapConfig(BaseModel, frozen=True):
    """What a sample's sandbox may take; what is left out is as it is by default."""

    memory_mib: int = 1024
    disk_mib: int = 256
    processes: int = 256
    open_files: int = 1024
    packages: tuple[str, ...] = ()
    """Installed distributions that its Python may import: ("pytest",)."""

    def limits(self) -> Limits:
        """The same as a sandbox takes it. Time is each command's own affair."""
        return Limits(
            wall_s=_NO_TIMEOUT_S,
            cpu_s=_NO_TIMEOUT_S,
            memory_bytes=self.memory_mib * MIB,
            disk_bytes=self.disk_mib * MIB,
            file_bytes=self.disk_mib * MIB,
            processes=self.processes,
            open_files=self.open_files,
        )


@sandboxenv(name="bubblewrap")  # pyright: ignore[reportUntypedClassDecorator]
class BubblewrapSandboxEnvironment(SandboxEnvironment):
    """One sample's sandbox: no network, a read-only system, a work folder that ends with the sample."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__()
        self._sandbox = sandbox

    @classmethod
    async def task_init(cls, task_name: str, config: SandboxEnvironmentConfigType | None) -> None:
        """Refuse a task at its beginning where no sandbox can be had.

        Raises:
            SandboxUnavailable: Why, and what to type.
        """
        if (why := unavailable()) is not None:
            raise why

    @classmethod
    async def sample_init(
        cls, task_name: str, config: SandboxEnvironmentConfigType | None, metadata: dict[str, str]
    ) -> dict[str, SandboxEnvironment]:
        """Start a sample's sandbox."""
        wanted = config if isinstance(config, BubblewrapConfig) else BubblewrapConfig()
        sandbox = Sandbox(wanted.limits(), wanted.packages)
        await sandbox.start()
        return {"default": cls(sandbox)}

    @classmethod
    async def sample_cleanup(
        cls,
        task_name: str,
        config: SandboxEnvironmentConfigType | None,
        environments: dict[str, SandboxEnvironment],
        interrupted: bool,
    ) -> None:
        """End a sample's sandbox with all that runs in it."""
        for environment in environments.values():
            await environment.as_type(BubblewrapSandboxEnvironment)._sandbox.close()

    @classmethod
    def config_deserialize(cls, config: dict[str, Any]) -> BaseModel:
        """The configuration that a log has."""
        return BubblewrapConfig.model_validate(config)

    async def exec(
        self,
        cmd: list[str],
        input: str | bytes | None = None,  # noqa: A002 - Inspect's name
        cwd: str | None = None,
        env: dict[str, str] | None = None,
        user: str | None = None,
        timeout: int | None = None,  # noqa: ASYNC109 - Inspect's name
        timeout_retry: bool = True,
        concurrency: bool = True,
    ) -> ExecResult[str]:
        """Run a command to its end; what it leaves running is ended with it.

        Raises:
            TimeoutError: It took longer than it may. It isn't tried again: it may have changed things.
            PermissionError: The command is no program.
            OutputLimitExceededError: It wrote more than Inspect takes.
            SandboxUserUnsupportedError: It should run as somebody else.
            SandboxUnavailableError: The sandbox has ended.
        """
        if user not in (None, USER, "1000"):
            raise SandboxUserUnsupportedError(f"the sandbox has one user, {USER}, and no {user!r}")
        wall_s = timeout or _NO_TIMEOUT_S
        limits = replace(
            self._sandbox.limits,
            wall_s=wall_s,
            cpu_s=wall_s * self._sandbox.limits.processes,
            output_bytes=SandboxEnvironmentLimits.MAX_EXEC_OUTPUT_SIZE,
        )
        try:
            done = await self._sandbox.run(cmd, stdin=input or b"", limits=limits, cwd=cwd or "", env=env)
        except SandboxError as error:
            raise SandboxUnavailableError(error.message) from error
        return _result(done, cmd)

    async def write_file(self, file: str, contents: str | bytes) -> None:
        """Write a file, and make the folders above it.

        Raises:
            OSError: It can't be written.
        """
        await self._sandbox.write(file, contents)

    @overload
    async def read_file(self, file: str, text: Literal[True] = True) -> str: ...

    @overload
    async def read_file(self, file: str, text: Literal[False]) -> bytes: ...

    async def read_file(self, file: str, text: bool = True) -> str | bytes:
        """Read a file.

        Raises:
            OSError: It can't be read.
            OutputLimitExceededError: It is larger than Inspect takes.
            UnicodeDecodeError: It should be text, and isn't.
        """
        try:
            data = await self._sandbox.read(file, limit_bytes=SandboxEnvironmentLimits.MAX_READ_FILE_SIZE)
        except OSError as error:
            if error.errno == errno.EFBIG:
                limit = SandboxEnvironmentLimits.MAX_READ_FILE_SIZE_STR
                raise OutputLimitExceededError(limit, None) from error
            raise
        return data.decode() if text else data


def _result(done: Completed, command: list[str]) -> ExecResult[str]:
    """A command's end as Inspect wants it."""
    if done.timed_out:
        raise TimeoutError(done.said)
    if done.exit == 126 and done.stderr == f"{command[0]}: Permission denied\n":
        raise PermissionError(errno.EACCES, "Permission denied", command[0])
    if done.cut:
        raise OutputLimitExceededError(SandboxEnvironmentLimits.MAX_EXEC_OUTPUT_SIZE_STR, done.stdout)
    stderr = f"{done.stderr}\n{done.said}" if done.stopped else done.stderr
    status = done.exit if done.exit is not None else _SIGNALLED + _number(done.signal or "")
    return ExecResult(done.ok, status, done.stdout, stderr)


def _number(name: str) -> int:
    """A signal's number: 15 of "SIGTERM", and of "signal 15"."""
    known = signal.Signals.__members__.get(name)
    return known.value if known else int(name.removeprefix("signal "))
