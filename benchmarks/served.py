"""A running `isthmus serve`, for as long as it is measured."""

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from isthmus.server import run_file


@contextmanager
def isthmus_serve(home, *words, folder=None, variables=None):
    """Its run file, once it listens. What is set comes from ``folder``'s isthmus.toml and ``variables``."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("ISTHMUS_")}
    environment = {**others, "ISTHMUS_HOME": str(home), **(variables or {})}
    command = [sys.executable, "-m", "isthmus", "serve", "--port", "0", *words]
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(
            command,
            env=environment,
            cwd=folder or home,
            stderr=log,
            preexec_fn=end_with_parent,
        ) as process,
    ):
        try:
            deadline = time.monotonic() + 120
            while (run := run_file.read(Path(home) / "server.json")) is None:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{' '.join(command)} did not come up: {last_words(log)}")
                time.sleep(0.05)
            yield run
        finally:
            process.terminate()
            process.wait(20)


def end_with_parent():
    """In a child: see to it that a benchmark that is killed leaves no server behind (on Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def last_words(log):
    """The end of a log, on one line."""
    log.seek(0)
    return " / ".join(log.read().decode(errors="replace").splitlines()[-3:])
