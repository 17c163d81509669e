"""Scripts that drive other people's clients: each prints a JSON object for every check that it made."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from threading import Timer
from typing import Any

import pytest

from tests.conftest import ROOT

from .patience import patience
from .serving import Server

SCRIPTS = Path(__file__).parent / "scripts"
CLIENTS = ROOT / ".venv-conformance"
CHECK_S = patience(600)
"""How long a script may be at one check."""
ANSWER_S = patience(300)
"""How long its client waits for an answer."""

installed = pytest.mark.skipif(not (CLIENTS / "installed").exists(), reason="not installed: make conformance")


class Said(dict[str, dict[str, Any]]):
    """What a script said of each of its checks, ``did`` or ``failed``; those it never came to have failed."""

    def __init__(self, rows: Iterator[dict[str, Any]]) -> None:
        super().__init__((row["check"], row) for row in rows)
        self.end = "it ended without a word of this check"

    def __missing__(self, check: str) -> dict[str, Any]:
        return {"check": check, "failed": self.end}


def run(name: str, server: Server, **more: str) -> Said:
    """Run a script of scripts/ against a server.

    Args:
        name: The script's.
        server: Who is asked.
        more: Variables of its environment, beside those that say where the server is.
    """
    if name.endswith(".py"):
        command = [str(CLIENTS / "litellm" / "bin" / "python"), "-u", str(SCRIPTS / name)]
    else:
        # Node looks for packages beside the script.
        command = ["node", shutil.copy(SCRIPTS / name, CLIENTS / name)]
    environment = {
        "PATH": f"{CLIENTS / 'bin'}:{os.environ['PATH']}",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "ISTHMUS_URL": server.url,
        "ISTHMUS_ORIGIN": server.origin,
        "ISTHMUS_KEY": server.key,
        "ISTHMUS_MODEL": server.model,
        "ISTHMUS_TIMEOUT_S": str(ANSWER_S),
        **more,
    }
    with (
        TemporaryFile("w+") as complaints,
        subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=complaints, text=True
        ) as process,
    ):
        said = Said(json.loads(line) for line in _lines(process) if line.startswith('{"check"'))
        if code := process.wait():
            complaints.seek(0)
            said.end = f"it ended with {code} before this check: {complaints.read()[-2000:]}"
    return said


def _lines(process: subprocess.Popen[str]) -> Iterator[str]:
    """What a script prints; one that says nothing for too long is ended."""
    assert process.stdout is not None
    while True:
        silence = Timer(CHECK_S, process.kill)
        silence.start()
        try:
            line = process.stdout.readline()
        finally:
            silence.cancel()
        if not line:
            return
        yield line
