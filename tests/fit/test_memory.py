"""What is planned against what real workers take: the resident memory of the process, at most 10% apart."""

import json
import urllib.request
from pathlib import Path

import anyio
import anyio.to_thread
import psutil
import pytest

from isthmus.engines.loading import Loading
from isthmus.engines.process import WorkerProcess
from isthmus.fit import Budget, Plan, plan
from isthmus.settings import EngineSettings
from isthmus.store import StoredModel
from isthmus.trust import verify
from tests.conftest import ROOT, fetched
from tests.fit.shapes import GIB

MICRO_BATCH_AND_MORE = 600
"""What a longer prompt adds is pages of token embeddings: the cache is there from the beginning."""
VARIED = 1400


def taken(model: StoredModel, engine: EngineSettings, context: int, tokens: int) -> tuple[Plan, int]:
    """What is planned, and what a worker takes once it has done all kinds of work: a prompt of varied text,
    and one that goes on as it began, so that n-grams are guessed.
    """

    async def measure() -> tuple[Plan, int]:
        with verify(model) as weights:
            made = plan(weights.header.shape, Budget(64 * GIB), engine, context_length=context)
            # No more than is planned, so that no earlier prompts are kept.
            worker = await WorkerProcess.start(
                Loading(model=weights, settings=engine, plan=made, budget=Budget(made.ram_bytes))
            )
            try:
                for prompt in (long_text(tokens), " ".join(f"w{n % 40}" for n in range(160))):
                    await anyio.to_thread.run_sync(complete, worker, prompt)
                return made, psutil.Process(worker.pid).memory_info().rss
            finally:
                await worker.stop()

    return anyio.run(measure)


def long_text(tokens: int) -> str:
    """Varied text of about so many tokens."""
    texts = [path.read_text() for path in sorted((ROOT / "docs").rglob("*.md"))]
    return "".join(texts)[: 3 * tokens]


def complete(worker: WorkerProcess, prompt: str) -> None:
    request = urllib.request.Request(
        f"{worker.address}/v1/completions",
        json.dumps({"prompt": prompt, "max_tokens": 24, "temperature": 0}).encode(),
        {"Authorization": f"Bearer {worker.key.reveal()}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=300) as answer:
        answer.read()


def errs_by(
    model: StoredModel, engine: EngineSettings, context: int, tokens: int = MICRO_BATCH_AND_MORE
) -> float:
    made, resident = taken(model, engine, context, tokens)
    return made.total_bytes / resident - 1


pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="resident memory is Linux's account")


@pytest.mark.parametrize(("context", "parallel"), [(2048, 1), (8192, 8)])
def test_the_tiny_model(tiny, context, parallel):
    assert abs(errs_by(tiny, EngineSettings(parallel=parallel), context)) <= 0.1


@pytest.mark.slow
def test_the_tiny_model_with_a_smaller_cache(tiny):
    assert abs(errs_by(tiny, EngineSettings(kv_type="q8_0"), 8192)) <= 0.1


@pytest.mark.starter
@pytest.mark.slow
@pytest.mark.parametrize(("context", "parallel"), [(2048, 1), (2048, 8), (8192, 1), (8192, 8), (32_768, 8)])
@pytest.mark.parametrize("name", ["qwen2.5-coder:0.5b", "qwen2.5-coder:1.5b"])
def test_larger_models(name, context, parallel):
    assert abs(errs_by(fetched(name), EngineSettings(parallel=parallel), context, VARIED)) <= 0.1
