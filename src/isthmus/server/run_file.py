"""The run file: how `isthmus ask` finds a server that the same person runs, and what that server allows."""

import os
import socket
from pathlib import Path

import msgspec
from msgspec import Struct

from isthmus.messages import HandoffMode
from isthmus.settings import Secret


class RunFile(Struct, frozen=True):
    """Written with mode 0600 when the server listens, removed when it stops."""

    pid: int
    host: str
    port: int
    key: str
    model: str
    reference: str
    """The model as it was named, understood from any folder: two files of one name are two models."""
    local_only: bool
    offline: bool
    mode: HandoffMode

    @property
    def base_url(self) -> str:
        """The address of its API."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/v1"

    @property
    def secret(self) -> Secret:
        """The key that shows whose server it is."""
        return Secret(self.key)

    def __repr__(self) -> str:
        return f"RunFile(pid={self.pid}, {self.base_url}, model={self.model!r})"


def write(path: Path, run: RunFile) -> None:
    """Write it, readable by its owner only, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{run.pid}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.encode(run))
    draft.replace(path)


def read(path: Path) -> RunFile | None:
    """The running server, or None: no file, one left by a crash, or nobody listening there."""
    try:
        run = msgspec.json.decode(path.read_bytes(), type=RunFile)
        os.kill(run.pid, 0)
        with socket.create_connection((run.host, run.port), timeout=0.5):
            return run
    except (OSError, msgspec.MsgspecError):
        return None


def remove(path: Path, pid: int) -> None:
    """Remove it, unless another server has written its own since."""
    run = _peek(path)
    if run is not None and run.pid == pid:
        path.unlink(missing_ok=True)


def _peek(path: Path) -> RunFile | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=RunFile)
    except (OSError, msgspec.MsgspecError):
        return None
