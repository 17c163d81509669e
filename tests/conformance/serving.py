"""`isthmus serve` as a process of its own, with keys on, for clients that are no part of this project."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from isthmus.server import run_file
from isthmus.store import Store, StoredModel

from .patience import patience

LOADING_S = patience(180)
CLOSING_S = patience(30)


class Server(Struct, frozen=True):
    """A running server: where it is, and a key to it."""

    origin: str
    key: str
    model: str
    home: Path
    log: Path

    @property
    def url(self) -> str:
        """The base URL of OpenAI's clients."""
        return f"{self.origin}/v1"


@contextmanager
def served(home: Path, *models: StoredModel, name: str | None = None, toml: str = "") -> Iterator[Server]:
    """Serve models, the first of them by default, until the block ends.

    Args:
        home: A folder of its own; the log stays there.
        models: Copied into it by hard links.
        name: The default model, where it is none of them.
        toml: Settings.
    """
    work = home / "work"
    work.mkdir(parents=True, exist_ok=True)
    (work / "isthmus.toml").write_text(toml)
    for each in models:
        Store(home).add_file(each.path, each.name, lambda progress: None)
    name = name or models[0].name
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("ISTHMUS_", "HF_", "COV_"))
    }
    environment |= {"ISTHMUS_HOME": str(home), "HOME": str(home), "XDG_CONFIG_HOME": str(home)}
    options = {"cwd": work, "env": environment, "stdin": subprocess.DEVNULL}
    command = (sys.executable, "-m", "isthmus")
    words = ("key", "create", "conformance", "--scope", "infer", "--scope", "manage")
    made = subprocess.run((*command, *words), check=True, capture_output=True, text=True, **options)
    log = home / "serve.log"
    words = ("serve", "--model", name, "--port", "0")
    with (
        log.open("ab") as out,
        subprocess.Popen((*command, *words), stdout=out, stderr=out, **options) as process,
    ):
        try:
            run = _ready(home / "server.json", process, log)
            yield Server(run.base_url.removesuffix("/v1"), made.stdout.strip(), run.model, home, log)
        finally:
            process.terminate()
            try:
                process.wait(CLOSING_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _ready(path: Path, process: subprocess.Popen[bytes], log: Path) -> run_file.RunFile:
    deadline = time.monotonic() + LOADING_S
    while (run := run_file.read(path)) is None:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, f"it was not ready within {LOADING_S:g} s: {log.read_text()}"
        time.sleep(0.1)
    return run


def decoded(body: bytes) -> dict[str, object]:
    """A JSON object."""
    return msgspec.json.decode(body, type=dict[str, object])
