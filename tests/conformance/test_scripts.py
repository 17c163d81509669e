"""Clients that need an interpreter or an environment of their own, each driven by a script in scripts/."""

import pytest

from .running import installed, run

CLIENT = "the AI SDK and @anthropic-ai/sdk under Node, LiteLLM 1.106.2"

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

pytestmark = [pytest.mark.slow, installed]


@pytest.fixture(scope="module")
def said(small_server):
    """What each script said of each of its checks; a script is run when the first is asked for."""
    done = {}

    def of(script):
        if script not in done:
            done[script] = run(script, small_server)
        return done[script]

    return of


@pytest.mark.parametrize(
    ("script", "check"), [(script, check) for script, checks in CHECKS.items() for check in checks]
)
def test_script(said, script, check, did):
    row = said(script)[check]
    assert "failed" not in row, row["failed"]
    did(row["did"])
