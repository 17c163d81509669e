"""Draw the pool: every policy asks the model what it would ask, and what is said is kept.

    python -m benchmarks.reasoning_draw --data FOLDER --model qwen2.5-coder:0.5b --base-url http://127.0.0.1:8080/v1

The address is any OpenAI-compatible server of the model, which keeps to ``n`` (`llama-server -np 18` does). A
run that is killed goes on where it was: what the pool holds isn't asked for again. Policies that share a
request share its draws, so that a fixed vote has drawn what an adaptive one needs. --pack makes of the file
the smaller one that is kept with the results.
"""

import argparse
from pathlib import Path

import anyio

from benchmarks.reasoning_data import gsm8k, mbpp
from benchmarks.reasoning_policies import DRAWN
from benchmarks.reasoning_pool import Pool, Recorded
from benchmarks.results import RESULTS
from isthmus.engines.runner import RunnerEngine
from isthmus.errors import EngineError
from isthmus.settings import ProviderSettings

POOL = RESULTS / "reasoning-pool.jsonl"
SETS = {"gsm8k": gsm8k, "mbpp": mbpp}


async def draw(questions, policies, pool, home, clients):
    """Have each question answered once by each policy, so many questions at a time."""
    waiting = list(reversed(questions))

    async def work():
        while waiting:
            question = waiting.pop()
            for policy in policies:
                before = len(pool)
                found = await _patiently(policy, question, pool, home)
                if len(pool) > before:
                    print(f"{question.set} {question.row}, {policy.name}: {found.tokens} tokens", flush=True)

    async with anyio.create_task_group() as group:
        for _ in range(min(clients, len(questions))):
            group.start_soon(work)


async def _patiently(policy, question, pool, home):
    """An answer, asked for anew where the connection broke: what was drawn before isn't lost."""
    for wait_s in (1, 10, 60):
        try:
            return await policy.answer(question, Recorded(pool, question, home.model.name, home))
        except EngineError as error:
            print(f"{question.set} {question.row}, {policy.name}: {error.message}", flush=True)
            await anyio.sleep(wait_s)
    return await policy.answer(question, Recorded(pool, question, home.model.name, home))


async def draw_all(given):
    pool = Pool(given.pool)
    if given.pack:
        return pool.pack()
    home = RunnerEngine("home", ProviderSettings(base_url=given.base_url, local=True), given.model)
    questions = SETS[given.set](given.data, given.rows)
    try:
        await draw(questions, [DRAWN[name] for name in given.policies.split(",")], pool, home, given.clients)
    finally:
        await home.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="the folder that holds the questions")
    parser.add_argument("--base-url")
    parser.add_argument("--model", default="qwen2.5-coder:0.5b")
    parser.add_argument("--set", choices=SETS, default="gsm8k")
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--policies", default=",".join(DRAWN), help="in this order; by default %(default)s")
    parser.add_argument("--clients", type=int, default=2, help="questions at a time")
    parser.add_argument("--pool", type=Path, default=POOL)
    parser.add_argument("--pack", action="store_true", help="draw nothing")
    given = parser.parse_args()
    if not given.pack and not (given.data and given.base_url):
        parser.error("--data and --base-url say what is asked, and of whom")
    anyio.run(draw_all, given)


if __name__ == "__main__":
    main()
