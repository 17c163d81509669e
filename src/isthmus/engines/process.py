"""Starting, watching and ending one worker process."""

import asyncio
import contextlib
import os
import re
import secrets
import sys
import tempfile
from pathlib import Path
from typing import IO, Any, Self

import msgspec

from isthmus.engines.worker_config import WorkerConfig
from isthmus.errors import LoadError, StorageError
from isthmus.settings import EngineSettings, Secret
from isthmus.trust import VerifiedModel

_STOP_S = 5.0
"""How long a worker may take to end by itself."""


class WorkerProcess:
    """A worker that has loaded its model. ``address`` is its base URL; ``key`` opens it."""

    def __init__(
        self, process: asyncio.subprocess.Process, address: str, key: Secret, log: IO[bytes]
    ) -> None:
        self._process = process
        self._log = log
        self.address = address
        self.key = key

    @classmethod
    async def start(cls, model: VerifiedModel, settings: EngineSettings, *, chat_template: str = "") -> Self:
        """Start a worker and wait until it has loaded ``model``.

        The worker inherits the open file that was verified, so it loads those bytes and no others, even if
        the path is swapped meanwhile. It gets a session of its own: a Ctrl-C in the terminal is the
        parent's to handle.

        Raises:
            LoadError: The engine can't load the weights, or takes too long.
        """
        key = secrets.token_urlsafe(32)
        limit = model.header.context_length or settings.context_length
        config = WorkerConfig(
            model=_path_in_child(model),
            alias=model.name,
            key=key,
            context_length=min(settings.context_length or limit, limit),
            parallel=settings.parallel,
            threads=settings.threads,
            gpu_layers=settings.gpu_layers,
            chat_template=chat_template,
        )
        log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker
        try:
            # -P: a file named like a module in the working folder must not be run.
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "isthmus.engines.worker"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                pass_fds=(model.fd,),
                start_new_session=True,
            )
        except OSError as error:
            log.close()
            raise StorageError(f"a worker process can't be started: {error}") from error
        worker = cls(process, "", Secret(key), log)
        try:
            worker.address = await worker._load(msgspec.json.encode(config), model, settings.load_timeout_s)
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

    async def stop(self) -> None:
        """End the process: by closing its stdin, by force if that doesn't do."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        if not await self.ended(_STOP_S):
            self._process.kill()
            await self._process.wait()
        self._log.close()

    async def _load(self, config: bytes, model: VerifiedModel, timeout_s: float) -> str:
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise LoadError("the worker has no pipes to its parent")
        with contextlib.suppress(ConnectionError):
            stdin.write(config + b"\n")
            await stdin.drain()
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


def _path_in_child(model: VerifiedModel) -> str:
    """The verified file as the worker will see it. Where there is no /proc, only its path is left."""
    return f"/proc/self/fd/{model.fd}" if Path("/proc/self/fd").is_dir() else str(model.path)
