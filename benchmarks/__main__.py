"""Run the benchmarks: see the package's docstring."""

import argparse
import tempfile
from pathlib import Path

import anyio

from benchmarks import gateway, handoff, startup
from isthmus.store import Store, find, pull

CACHE = Path(__file__).parent.parent / ".cache" / "isthmus"
TINY, STARTER, LARGER = "smollm2:135m", "qwen2.5-coder:0.5b", "qwen2.5-coder:1.5b"


def have(name):
    """A model, fetched if need be and kept for the next run."""

    async def fetch():
        return await pull(
            find(name),
            Store(CACHE),
            offline=False,
            hf_endpoint="https://huggingface.co",
            on_progress=lambda progress: None,
            on_notice=lambda notice: print(notice.text),
        )

    return anyio.run(fetch)


def home_with(folder, *models):
    """A fresh home that holds these models."""
    for model in models:
        Store(Path(folder)).add_file(model.path, model.name, lambda progress: None)
    return folder


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("what", nargs="?", choices=["all", "gateway", "startup", "handoff"], default="all")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--data", type=Path, help="GSM8K's train.jsonl, for the hand-off")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        if given.what in ("all", "gateway"):
            tiny = have(TINY)
            gateway.measure(tiny, home_with(first, tiny), given.rounds)
        if given.what in ("all", "startup"):
            for name in (TINY, STARTER):
                model = have(name)
                startup.measure(model, home_with(first, model), given.rounds)
        if given.what == "handoff" or (given.what == "all" and given.data):
            if given.data is None:
                parser.error("handoff needs --data")
            home, away = have(STARTER), have(LARGER)
            handoff.measure(given.data, home_with(first, home), home_with(second, away), home, away)


if __name__ == "__main__":
    main()
