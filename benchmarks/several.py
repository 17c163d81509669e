"""Several models in turn under one budget of memory: eight clients who each ask a model at random.

An answer, or a 429 with a Retry-After that the client obeys: anything else is a failure, and there must be
none. What is loaded and what it takes is seen from outside, twice a second: the server's children, the files
of models that they hold open, and their memory.
"""

import asyncio
import random
import time
from collections import Counter
from pathlib import Path

import msgspec
from msgspec import Struct

from benchmarks import prompts
from benchmarks.charts import several_chart
from benchmarks.client import NoAnswer, ask, connections
from benchmarks.processes import family, memory
from benchmarks.results import environment, save, summary, verdict, write
from benchmarks.served import isthmus_serve

BUDGET_MB = 1_400_000_000 // 2**20
CLIENTS = 8
MAX_TOKENS = 32
EVERY_S = 0.5


class Outcome(Struct, frozen=True, kw_only=True):
    """What came of one request, ``s`` seconds after the start. ``kind`` is answer, busy or failure."""

    s: float
    model: str
    kind: str
    first_s: float | None = None
    total_s: float | None = None
    retry_after_s: float | None = None
    failure: str | None = None


class Sample(Struct, frozen=True):
    """What was seen from outside: models whose files workers hold, their process ids, and their memory."""

    s: float
    loaded: tuple[str, ...]
    pids: tuple[int, ...]
    rss_mb: float
    pss_mb: float | None


def measure(models, home, minutes, into, seed=1):
    """Ask for so long, then count."""
    variables = {"ISTHMUS_ENGINE_MEMORY_MB": str(BUDGET_MB)}
    before = environment()
    with isthmus_serve(home, "-m", models[0].name, variables=variables) as run:
        outcomes, samples = asyncio.run(_observed(run, models, 60 * minutes, seed))
    result = {
        "benchmark": "several",
        "environment": before,
        "models": [model.name for model in models],
        "clients": CLIENTS,
        "minutes": minutes,
        "max_tokens": MAX_TOKENS,
        "budget_mb": BUDGET_MB,
        **counted(outcomes, samples),
    }
    save("several", result, into)
    write(into / "several-timeline.jsonl", "".join(_line(each) for each in samples))
    write(into / "several.svg", several_chart(result, [msgspec.to_builtins(each) for each in samples]))
    counts, peak = result["counts"], result["peak"]
    print(
        f"{counts['answers']} answers, {counts['busy']} times told to come back later, "
        f"{counts['loads']} loads; {counts['failures']} failures ({verdict(not counts['failures'])})"
    )
    print(f"at most {peak} of {BUDGET_MB} MiB ({verdict(result['met']['memory within the budget'])})")


def counted(outcomes, samples):
    """The counts, the waits by model, and the highest memory."""
    kinds = Counter(outcome.kind for outcome in outcomes)
    answers = [outcome for outcome in outcomes if outcome.kind == "answer"]
    highest = max((sample.pss_mb or sample.rss_mb for sample in samples), default=0.0)
    return {
        "counts": {
            "answers": kinds["answer"],
            "busy": kinds["busy"],
            "failures": kinds["failure"],
            "loads": len({pid for sample in samples for pid in sample.pids}),
        },
        "by_model": {
            model: {
                "answers": len(mine),
                "first_token_s": summary([outcome.first_s for outcome in mine]),
                "total_s": summary([outcome.total_s for outcome in mine]),
                "longest_s": round(max(outcome.total_s for outcome in mine), 3),
            }
            for model in sorted({outcome.model for outcome in answers})
            if (mine := [outcome for outcome in answers if outcome.model == model])
        },
        "peak": {
            "pss_mb": max((sample.pss_mb for sample in samples if sample.pss_mb is not None), default=None),
            "rss_mb": max((sample.rss_mb for sample in samples), default=0.0),
        },
        "failures": [outcome.failure for outcome in outcomes if outcome.failure][:20],
        "met": {"no failure": not kinds["failure"], "memory within the budget": highest <= BUDGET_MB},
    }


async def _observed(run, models, seconds, seed):
    """All clients until the time is up and their last answers are there, watched meanwhile."""
    began = time.perf_counter()
    outcomes, samples = [], []
    watching = asyncio.create_task(_watch(run.pid, models, began, samples))
    names = [model.name for model in models]
    async with connections() as session:
        await asyncio.gather(
            *(
                _client(
                    session, run.base_url, names, random.Random(f"{seed}/{number}"), began, seconds, outcomes
                )
                for number in range(CLIENTS)
            )
        )
    watching.cancel()
    return outcomes, samples


async def _client(session, url, names, chooser, began, seconds, outcomes):
    """Ask, wait if told to, ask again."""
    while (s := round(time.perf_counter() - began, 3)) < seconds:
        model = chooser.choice(names)
        try:
            answer = await ask(session, url, prompts.essay(chooser), MAX_TOKENS, model)
        except NoAnswer as refusal:
            outcomes.append(judged(refusal, s, model))
            # Where there is no word on when, at least not at once.
            await asyncio.sleep(min(refusal.retry_after_s or 1.0, seconds))
        else:
            outcomes.append(
                Outcome(s=s, model=model, kind="answer", first_s=answer.first_s, total_s=answer.total_s)
            )


def judged(refusal, s, model):
    """A 429 that says when to come back is honest; anything else is a failure."""
    if refusal.status == 429 and refusal.retry_after_s is not None:
        return Outcome(s=s, model=model, kind="busy", retry_after_s=refusal.retry_after_s)
    print(f"  {s:.0f} s, {model}: {refusal}", flush=True)
    return Outcome(s=s, model=model, kind="failure", failure=str(refusal))


async def _watch(pid, models, began, samples):
    digests = {model.path.resolve().name: model.name for model in models}
    while True:
        s = round(time.perf_counter() - began, 2)
        samples.append(await asyncio.to_thread(_seen, pid, digests, s))
        await asyncio.sleep(EVERY_S)


def _seen(pid, digests, s):
    workers = family(pid)[1:]
    holding = {
        worker.pid: digests[file] for worker in workers for file in _open_files(worker.pid) & set(digests)
    }
    taken = memory(workers)
    return Sample(s, tuple(sorted(set(holding.values()))), tuple(sorted(holding)), taken.rss_mb, taken.pss_mb)


def _open_files(pid):
    """Names of the files that a process holds open, where the system tells."""
    found = set()
    try:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            found.add(link.readlink().name)
    except OSError:
        pass  # it has ended meanwhile
    return found


def _line(sample):
    return msgspec.json.encode(sample).decode() + "\n"
