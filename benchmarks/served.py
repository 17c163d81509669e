"""A running `isthmus serve`, for as long as it is measured."""

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from isthmus.server import run_file


@contextmanager
def isthmus_serve(home, *words, folder=None):
    """Its run file, once it listens."""
    environment = {**os.environ, "ISTHMUS_HOME": str(home)}
    command = [sys.executable, "-m", "isthmus", "serve", "--port", "0", *words]
    with subprocess.Popen(command, env=environment, cwd=folder, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 120
            while (run := run_file.read(Path(home) / "server.json")) is None:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{' '.join(command)} did not come up")
                time.sleep(0.05)
            yield run
        finally:
            process.terminate()
            process.wait(20)
