"""The demo's hosted side: a second Isthmus on loopback, which ends with the demo however that ends."""

import asyncio
import os
import re
import signal
import sys
import tempfile
import threading
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import IO

import anyio

from isthmus.cli.main import main as command_line
from isthmus.errors import ServerError

_ADDRESS = re.compile(rb"http://\S+/v1")
_STARTS_WITHIN_S = 300.0
_STOPS_WITHIN_S = 15.0
_KEPT = re.compile(r"(?!ISTHMUS_|HF_|OTEL_)")
"""Variables that the server may see: none that set it up."""


@asynccontextmanager
async def hosted_side(home: Path, model: str) -> AsyncGenerator[str, None]:
    """Serve a model from a home of its own; the address of its API.

    Raises:
        ServerError: It doesn't come up.
    """
    with tempfile.TemporaryFile() as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            __name__,
            *("serve", "--model", model, "--port", "0", "--handoff", "off"),
            cwd=home,
            env=_environment(home),
            stdin=asyncio.subprocess.PIPE,  # held open for as long as it is needed
            stdout=log,
            stderr=log,
            start_new_session=True,  # a Ctrl-C in the terminal is the demo's to handle
        )
        try:
            yield await _address(process, log)
        finally:
            with anyio.CancelScope(shield=True):
                await _end(process)


def _environment(home: Path) -> Mapping[str, str]:
    """No settings but its own: neither the person's file nor their variables count."""
    kept = {name: value for name, value in os.environ.items() if _KEPT.match(name)}
    return kept | {"HOME": str(home), "XDG_CONFIG_HOME": str(home), "ISTHMUS_HOME": str(home)}


async def _address(process: asyncio.subprocess.Process, log: IO[bytes]) -> str:
    """The address, once it says so."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_STARTS_WITHIN_S):
            while process.returncode is None:
                if found := _ADDRESS.search(_said(log)):
                    return found[0].decode()
                await asyncio.sleep(0.1)
    last = _said(log).decode(errors="replace").strip().splitlines()[-1:]
    raise ServerError(f"the demo's hosted side does not come up: {''.join(last) or 'it says nothing'}")


def _said(log: IO[bytes]) -> bytes:
    # Not by seeking: the process writes by the same position.
    return os.pread(log.fileno(), 2**20, 0)


async def _end(process: asyncio.subprocess.Process) -> None:
    """End it as the end of the demo's own process would: by closing its stdin; by force if that won't do."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), _STOPS_WITHIN_S)
    except TimeoutError:
        process.kill()
        await process.wait()


def _stop_with_parent() -> None:
    """Wait for the end of stdin, which comes when the demo is done or dead, then stop as on Ctrl-C."""
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    command_line(sys.argv[1:])
