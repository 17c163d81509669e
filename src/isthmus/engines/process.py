"""Starting, watching and ending one worker process."""

import asyncio
import contextlib
import os
import re
import secrets
import tempfile
from collections.abc import Sequence
from typing import IO, Any, Self

import msgspec
import psutil

from isthmus.engines.builds import EngineBuild, worker_command, worker_environment
from isthmus.engines.lending import lent_files
from isthmus.engines.loading import Loading, worker_config
from isthmus.errors import LoadError, StorageError
from isthmus.settings import Secret

_STOP_S = 5.0
"""How long a worker may take to end by itself."""


class WorkerProcess:
    """A worker that has loaded its model. ``address`` is its base URL; ``key`` opens it."""

    def __init__(self, process: asyncio.subprocess.Process, log: IO[bytes], key: Secret) -> None:
        self._process = process
        self._log = log
        self.address = ""
        self.key = key

    @classmethod
    async def start(cls, loading: Loading) -> Self:
        """Start a worker and wait until it has loaded its model.

        It gets a session of its own: a Ctrl-C in the terminal is the parent's to handle.

        Raises:
            LoadError: The engine can't load the weights, or takes too long.
            StorageError: The process can't be started.
        """
        key = secrets.token_urlsafe(32)
        with lent_files(loading.model, loading.draft) as files:
            config = worker_config(loading, files, key)
            worker = cls(*await _spawn(loading.build, files.fds), Secret(key))
            try:
                worker.address = await worker._load(msgspec.json.encode(config), loading)
            except BaseException:
                await worker.stop()
                raise
        return worker

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.returncode is None

    @property
    def memory_bytes(self) -> int | None:
        """The main memory that it takes, with what it started; None where it has ended."""
        try:
            process = psutil.Process(self.pid)
            each = (process, *process.children(recursive=True))
            return sum(one.memory_info().rss for one in each)
        except psutil.Error:
            return None

    async def ended(self, within_s: float) -> bool:
        """Whether the process has ended, waiting for it a little: a broken connection comes first."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), within_s)
        return not self.alive

    def last_words(self) -> str:
        """The last line of the worker's log that speaks of an error, or how the process ended."""
        self._log.seek(max(0, self._log.seek(0, os.SEEK_END) - 20_000))
        lines = self._log.read().decode(errors="replace").splitlines()
        telling = [
            line for line in lines if re.search(r"error|failed|unable|unknown|abort|assert", line, re.I)
        ]
        if telling:
            # The first complaint is the cause; those that follow only pass it on.
            cleaned = re.sub(r"^[\d.]+ [A-Z] +", "", telling[0]).strip()
            return re.sub(r"^.*?error loading model: ", "", cleaned)[:300]
        code = self._process.returncode
        return (
            f"it ended with signal {-code}"
            if code is not None and code < 0
            else f"it ended with status {code}"
        )

    def kill(self) -> None:
        """End the process by force, at once."""
        if self.alive:
            self._process.kill()

    async def stop(self) -> None:
        """End the process: by closing its stdin, by force if that doesn't do."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        if not await self.ended(_STOP_S):
            self._process.kill()
            await self._process.wait()
        self._log.close()

    async def _load(self, config: bytes, loading: Loading) -> str:
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise LoadError("the worker has no pipes to its parent")
        with contextlib.suppress(ConnectionError):
            stdin.write(config + b"\n")
            await stdin.drain()
        model, timeout_s = loading.model, loading.settings.load_timeout_s
        try:
            line = await asyncio.wait_for(stdout.readline(), timeout_s)
        except TimeoutError as error:
            raise LoadError(
                f"{model.name} took longer than {timeout_s:.0f} s to load",
                hint="raise engine.load_timeout_s, or try a smaller model",
            ) from error
        if not line:
            await self.ended(_STOP_S)
            raise LoadError(
                f"the engine can't load {model.path}: {self.last_words()}",
                hint="isthmus list names models that are known to work",
            )
        ready: dict[str, Any] = msgspec.json.decode(line)
        return str(ready["address"])


async def _spawn(build: EngineBuild, fds: Sequence[int]) -> tuple[asyncio.subprocess.Process, IO[bytes]]:
    """A worker's process, and the file that its log goes to."""
    log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker
    try:
        process = await asyncio.create_subprocess_exec(
            *worker_command(build),
            env=worker_environment(build),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            pass_fds=fds,
            start_new_session=True,
        )
    except OSError as error:
        log.close()
        raise StorageError(f"a worker process can't be started: {error}") from error
    return process, log
