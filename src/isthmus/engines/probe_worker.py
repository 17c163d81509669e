"""A worker that is only tried out: started, asked for a few answers, ended."""

import http.client
import json
import os
import secrets
import subprocess
import tempfile
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, Any
from urllib.parse import urlsplit

from isthmus.engines.builds import EngineBuild, worker_command, worker_environment
from isthmus.engines.lending import lent_files
from isthmus.engines.loading import Loading, worker_config
from isthmus.engines.probe_failure import Failed, how_it_ended
from isthmus.engines.worker_config import WorkerConfig
from isthmus.settings import EngineSettings
from isthmus.trust import VerifiedModel

LOAD_TIMEOUT_S = 120.0
ANSWER_TIMEOUT_S = 120.0
STOP_S = 5.0
CONTEXT_LENGTH = 1024


@contextmanager
def trial_worker(build: EngineBuild, model: VerifiedModel, threads: int) -> Generator["TrialWorker"]:
    """Run a worker of a build that has loaded a model; one slot, and nothing that is fast by luck.

    Args:
        build: The build to try.
        model: The weights to load.
        threads: CPU threads.

    Raises:
        Failed: It can't be started, dies, or takes too long to load.
    """
    settings = EngineSettings(context_length=CONTEXT_LENGTH, parallel=1, threads=threads, speculation="off")
    loading = Loading(model=model, settings=settings, build=build)
    key = secrets.token_urlsafe(32)
    with tempfile.TemporaryFile() as log, lent_files(model) as files:
        process = _spawn(build, files.fds, log)
        worker = TrialWorker(process, log, key)
        try:
            worker.load(worker_config(loading, files, key))
            yield worker
        finally:
            worker.end()


def _spawn(build: EngineBuild, fds: Sequence[int], log: IO[bytes]) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(
            worker_command(build),
            env=worker_environment(build),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            pass_fds=fds,
            start_new_session=True,
        )
    except OSError as error:
        raise Failed(f"can't be started: {error.strerror or error}") from error


class TrialWorker:
    """A worker's process, the file that its log goes to, and the key that opens it."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: IO[bytes], key: str) -> None:
        self._process = process
        self._log = log
        self._key = key
        self._address = ""

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def load(self, config: WorkerConfig) -> None:
        """Have it load a model.

        Raises:
            Failed: It dies, or takes too long.
        """
        overdue = threading.Event()

        def give_up() -> None:
            overdue.set()
            self._process.kill()

        timer = threading.Timer(LOAD_TIMEOUT_S, give_up)
        timer.start()
        try:
            line = self._tell_and_hear(json.dumps(config).encode() + b"\n")
        finally:
            timer.cancel()
        if overdue.is_set():
            raise Failed(f"takes longer than {LOAD_TIMEOUT_S:.0f} s to load")
        if not line:
            raise self._death()
        self._address = str(json.loads(line)["address"])

    def ask(self, prompt: list[int], n_predict: int) -> dict[str, Any]:
        """Have it read a prompt's tokens and write so many; gives llama.cpp's timings of both.

        Raises:
            Failed: It dies, takes too long, or doesn't answer as llama.cpp does.
        """
        where = urlsplit(self._address)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=ANSWER_TIMEOUT_S)
        body = {"prompt": prompt, "n_predict": n_predict, "ignore_eos": True, "cache_prompt": False}
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        try:
            connection.request("POST", "/completion", json.dumps(body), headers)
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
            return dict(answer["timings"])
        except TimeoutError as error:
            raise Failed(f"takes longer than {ANSWER_TIMEOUT_S:.0f} s to answer") from error
        except (OSError, http.client.HTTPException) as error:
            raise self._death() from error
        except (ValueError, KeyError, TypeError) as error:
            raise Failed("doesn't answer as llama.cpp does") from error
        finally:
            connection.close()

    def end(self) -> None:
        """End it: by closing its stdin, by force if that doesn't do."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):  # it died with our line unread
                    pipe.close()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _tell_and_hear(self, line: bytes) -> bytes:
        """The line that it answers with; empty where it dies first."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            return b""
        try:
            stdin.write(line)
            stdin.flush()
        except BrokenPipeError:
            return b""
        return stdout.readline()

    def _death(self) -> Failed:
        """What became of a process that fell silent."""
        try:
            status = self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            return Failed("hangs up in the middle of its work")
        self._log.seek(0, os.SEEK_SET)
        return Failed(how_it_ended(status, self._log.read().decode(errors="replace")))
