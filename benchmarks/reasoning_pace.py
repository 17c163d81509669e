"""How fast samples are written side by side: the time of a batch beside that of one sample.

    python -m benchmarks.reasoning_pace --base-url http://127.0.0.1:4774/v1 --model qwen2.5-coder:0.5b

Each round asks a question of its own for 1, 2, 4 and 8 samples, in random order; all are written to the same
length, so that a batch's time is what its width costs and not what its longest sample does. The machine must
be quiet.
"""

import argparse
import json
import random
import statistics
import time
from bisect import bisect_left
from contextlib import aclosing
from pathlib import Path

import anyio
import msgspec
from msgspec import Struct

from benchmarks.reasoning_data import gsm8k
from benchmarks.results import RESULTS, environment, interval, save, verdict
from isthmus.engines.runner import RunnerEngine
from isthmus.messages import Finish, GenerationRequest, TextDelta
from isthmus.settings import ProviderSettings

WIDTHS = (1, 2, 4, 8)
TOKENS = 150
FIRST_ROW = 400
"""Of the questions asked here, which lie beyond those of the pool."""
MOST = {"qwen2.5-coder:0.5b": 4.0, "qwen2.5-coder:1.5b": 5.0}
"""Times the time of one sample that a batch of eight may take."""


class Pace(Struct, frozen=True):
    """Seconds that writing and reading take: of a step by how many samples it writes, of a prompt's token."""

    steps_s: dict[int, float]
    prompt_token_s: float

    def step_s(self, width):
        """Of one token for each of ``width`` samples; between widths that were measured, in proportion."""
        widths = sorted(self.steps_s)
        place = bisect_left(widths, width)
        if place == len(widths):
            return self.steps_s[widths[-1]] * width / widths[-1]
        if widths[place] == width or place == 0:
            return self.steps_s[widths[place]]
        low, high = widths[place - 1], widths[place]
        part = (width - low) / (high - low)
        return self.steps_s[low] + part * (self.steps_s[high] - self.steps_s[low])

    def prompt_s(self, tokens):
        """Of reading a prompt."""
        return tokens * self.prompt_token_s


def pace_of(model, folder=RESULTS):
    """The pace that was measured; None where none was."""
    path = Path(folder) / f"reasoning-pace-{_short(model)}.json"
    return (
        msgspec.convert(json.loads(path.read_text())["pace"], Pace, strict=False) if path.exists() else None
    )


async def measure(data, base_url, model, rounds, into):
    """Time batches of each width."""
    home = RunnerEngine("home", ProviderSettings(base_url=base_url, local=True), model)
    questions = gsm8k(data, FIRST_ROW + rounds * len(WIDTHS))[FIRST_ROW:]
    dice, times, firsts = random.Random(1), {width: [] for width in WIDTHS}, []
    try:
        for _ in range(rounds):
            for width in dice.sample(WIDTHS, len(WIDTHS)):
                first_s, total_s, prompt_tokens = await _timed(home, questions.pop(), width)
                times[width].append((first_s, total_s))
                firsts.append(first_s / prompt_tokens)
                print(f"{width} at a time: {total_s:.2f} s", flush=True)
    finally:
        await home.close()
    _report(model, times, firsts, into)


async def _timed(home, question, width):
    """Seconds to the first token and to the last, and the prompt's tokens."""
    request = GenerationRequest(
        messages=question.messages, n=width, temperature=0.7, max_tokens=TOKENS, ignore_eos=True
    )
    began, first_s, prompt_tokens = time.perf_counter(), None, 0
    async with aclosing(home.stream(request)) as events:
        async for event in events:
            if isinstance(event, TextDelta) and first_s is None:
                first_s = time.perf_counter() - began
            elif isinstance(event, Finish) and event.usage:
                prompt_tokens = event.usage.prompt_tokens
    return first_s, time.perf_counter() - began, prompt_tokens


def _report(model, times, firsts, into):
    ratios = [many / one for (_, many), (_, one) in zip(times[WIDTHS[-1]], times[1], strict=True)]
    ratio, most = statistics.median(ratios), MOST.get(model)
    steps = {
        width: round(statistics.median((total - first) / (TOKENS - 1) for first, total in each), 5)
        for width, each in times.items()
    }
    print(f"eight samples take {ratio:.2f} times one's time {interval(ratios)}", end="")
    print(f", at most {most}: {verdict(ratio <= most)}" if most else "")
    save(
        f"reasoning-pace-{_short(model)}",
        {
            "benchmark": "reasoning-pace",
            "environment": environment(),
            "model": model,
            "tokens": TOKENS,
            "pace": {"steps_s": steps, "prompt_token_s": round(statistics.median(firsts), 6)},
            "seconds": {width: [round(total, 2) for _, total in each] for width, each in times.items()},
            "eight_over_one": {"median": round(ratio, 2), "interval_95": interval(ratios), "most": most},
        },
        into,
    )


def _short(model):
    return model.rpartition(":")[2]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--model", default="qwen2.5-coder:0.5b")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--into", type=Path, default=RESULTS)
    given = parser.parse_args()
    anyio.run(measure, given.data, given.base_url, given.model, given.rounds, given.into)


if __name__ == "__main__":
    main()
