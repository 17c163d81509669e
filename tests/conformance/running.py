"""Scripts that drive other people's clients: each prints a JSON object for every check that it made."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

from .serving import Server

SCRIPTS = Path(__file__).parent / "scripts"
CLIENTS = ROOT / ".venv-conformance"

installed = pytest.mark.skipif(not (CLIENTS / "installed").exists(), reason="not installed: make conformance")


def run(name: str, server: Server, **more: str) -> dict[str, dict[str, Any]]:
    """Run a script of scripts/ against a server.

    Args:
        name: The script's.
        server: Who is asked.
        more: Variables of its environment, beside those that say where the server is.

    Returns:
        What it said of each of its checks: ``did``, or ``failed``.
    """
    if name.endswith(".py"):
        command = [str(CLIENTS / "litellm" / "bin" / "python"), str(SCRIPTS / name)]
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
        **more,
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    rows = (json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"check"'))
    return {row["check"]: row for row in rows}
