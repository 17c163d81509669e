"""Clients that need an interpreter or an environment of their own, each driven by a script in scripts/."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

CLIENT = "the AI SDK and @anthropic-ai/sdk under Node, LiteLLM 1.106.2"
SCRIPTS = Path(__file__).parent / "scripts"
CLIENTS = ROOT / ".venv-conformance"

CHECKS = {
    "ai_sdk.mjs": (
        "generates text",
        "streams text",
        "calls a tool",
        "generates an object",
        "tells an error's status",
    ),
    "anthropic.mjs": (
        "creates a message",
        "streams a message",
        "calls a tool in a stream",
        "counts tokens",
        "lists models",
        "tells a missing model from others",
    ),
    "litellm_client.py": tuple(
        f"{prefix}: {check}"
        for prefix in ("openai", "hosted_vllm", "anthropic", "ollama_chat")
        for check in ("answers", "streams", "tells a missing model")
    ),
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (CLIENTS / "installed").exists(), reason="not installed: make conformance"),
]


@pytest.fixture(scope="module")
def said(small_server):
    """What each script said of each of its checks; a script is run when the first is asked for."""
    done = {}

    def of(script):
        if script not in done:
            done[script] = run(script, small_server)
        return done[script]

    return of


def run(name, server):
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
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    rows = (json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"check"'))
    return {row["check"]: row for row in rows}


@pytest.mark.parametrize(
    ("script", "check"), [(script, check) for script, checks in CHECKS.items() for check in checks]
)
def test_script(said, script, check, did):
    row = said(script)[check]
    assert "failed" not in row, row["failed"]
    did(row["did"])
