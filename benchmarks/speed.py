"""Isthmus's speed and memory against its peers, each at its documented defaults.

Models are taken one after the other. All servers of a model are loaded, and one at a time is asked: what the
waiting ones use of the CPU meanwhile is written down with each row, and is next to nothing. Memory is
measured first, with each server alone, since processes that map the same file share its pages.

A round goes through all cells (a workload with so many clients); in each cell the servers take turns, in
random order and with the same prompts, so that what else the machine does falls on all alike. The figures
are ratios of the same round. What to reach is in `benchmarks.summaries`.
"""

import asyncio
import random
import time
from contextlib import ExitStack
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from benchmarks import prompts
from benchmarks.client import Answer, NoAnswer, ask, connections
from benchmarks.contestants import ISTHMUS
from benchmarks.estimate import Clock, minutes, total_s
from benchmarks.processes import cpu_s
from benchmarks.results import environment
from benchmarks.rows import Request, Row, Rows, Run
from benchmarks.workloads import CELLS, MEMORY, Cell, exchange

ROUNDS = {"smollm2:135m": (8, 3), "qwen2.5-coder:0.5b": (4, 1), "qwen2.5-coder:1.5b": (2, 1)}
"""By model: rounds with one client, and with several (each of which is several requests)."""


class Turn(Struct, frozen=True):
    """One server's part in a round of a cell."""

    model: str
    cell: Cell
    server: str
    round: int

    @property
    def key(self):
        return self.model, self.cell.workload, self.cell.clients, self.server, self.round


def schedule(models, servers, seed, rounds=None, cells=CELLS):
    """Every turn, in order: by model, memory first, then round by round, servers shuffled in each cell."""
    for model in models:
        alone, several = (rounds, rounds) if rounds else ROUNDS.get(model, (2, 1))
        for number in range(1, max(alone, several) + 1):
            for cell in cells:
                if number > (1 if cell == MEMORY else alone if cell.clients == 1 else several):
                    continue
                if cell == MEMORY:  # Isthmus first: the others get the context length that it takes
                    order = sorted(servers, key=lambda server: server != ISTHMUS)
                else:
                    order = random.Random(f"{seed}/{model}/{cell}/{number}").sample(servers, len(servers))
                yield from (Turn(model, cell, server, number) for server in order)


def measure(models, contestants, *, into, sizes, rounds=None, seed=1, resume=False, cells=CELLS):
    """Measure what isn't measured yet, each row to ``into``/speed.jsonl as it comes."""
    path = into / "speed.jsonl"
    if not resume:
        path.unlink(missing_ok=True)
    rows = Rows(path)
    named = {contestant.name: contestant for contestant in contestants}
    run = Run(
        environment(),
        {name: each.described() for name, each in named.items()},
        msgspec.to_builtins(sizes),
        seed,
    )
    for earlier in rows.runs:
        if why := run.differs(earlier):
            raise SystemExit(f"{path} can't be resumed: {why}; run without --resume to begin anew")
    turns = list(schedule([model.name for model in models], list(named), seed, rounds, cells))
    left = [turn for turn in turns if turn.key not in rows.done]
    print(f"{len(left)} of {len(turns)} turns to measure, about {minutes(total_s(left, sizes))}", flush=True)
    if left:
        rows.append(run)
    clock = Clock(left, sizes)
    for model in models:
        mine = [turn for turn in left if turn.model == model.name]
        _measure_alone(model, [turn for turn in mine if turn.cell == MEMORY], named, rows, sizes, clock)
        _measure_in_turns(model, [turn for turn in mine if turn.cell != MEMORY], named, rows, sizes, clock)
    return rows


def _measure_alone(model, turns, named, rows, sizes, clock):
    """Each server by itself, with the context length of Isthmus's own."""
    for turn in turns:
        context = None if turn.server == ISTHMUS else _context_of_isthmus(rows, model)
        with named[turn.server].started(model, context) as running:
            _take(turn, running, [], rows, sizes, clock)


def _measure_in_turns(model, turns, named, rows, sizes, clock):
    """All servers up, one at a time asked."""
    with ExitStack() as stack:
        running = {
            name: stack.enter_context(named[name].started(model))
            for name in named
            if any(turn.server == name for turn in turns)
        }
        for each in running.values():
            asyncio.run(_warm_up(each))
        for turn in turns:
            others = [each for each in running.values() if each.name != turn.server]
            _take(turn, running[turn.server], others, rows, sizes, clock)


def _context_of_isthmus(rows, model):
    taken = [row for row in rows.rows if (row.model, row.workload) == (model.name, MEMORY.workload)]
    return next((row.context_length for row in taken if row.server == ISTHMUS), None)


def _take(turn, running, others, rows, sizes, clock):
    """Measure one turn, keep its row, say how it went."""
    began = time.perf_counter()
    row = asyncio.run(_measured(turn, running, others, sizes))
    rows.append(row)
    left_s = clock.passed(turn, time.perf_counter() - began)
    took = "no rate" if row.rate is None else f"{row.rate:.1f} tokens/s"
    if turn.cell == MEMORY:
        took = f"{row.worker.pss_mb or row.worker.rss_mb:.0f} MiB"
    problems = f", {len(row.failures)} FAILED: {row.failures[0]}" if row.failures else ""
    print(
        f"{turn.model}, round {turn.round}, {turn.cell}: {turn.server} {took}{problems} "
        f"({minutes(left_s)} left)",
        flush=True,
    )


async def _measured(turn, running, others, sizes):
    waiting = [process for other in others for process in other.processes]
    answers, failures, wall_s, idle_cpu_s, context = [], [], 0.0, 0.0, None
    async with connections() as session:
        try:
            conversations = await _prepared(session, turn, running, sizes)
            idle_before, began = cpu_s(waiting), time.perf_counter()
            done = await asyncio.gather(*(_tried(session, running, *each) for each in conversations))
            wall_s, idle_cpu_s = time.perf_counter() - began, cpu_s(waiting) - idle_before
            answers = [each for each in done if isinstance(each, Answer)]
            failures = [each for each in done if isinstance(each, NoAnswer)]
        except NoAnswer as failure:
            failures = [failure]
        if turn.cell == MEMORY and turn.server == ISTHMUS:
            context = await _context_length(session, running, turn.model)
    return Row(
        model=turn.model,
        workload=turn.cell.workload,
        clients=turn.cell.clients,
        server=turn.server,
        round=turn.round,
        rate=None if failures else _rate(turn.cell, sizes, answers, wall_s),
        wall_s=round(wall_s, 4),
        requests=tuple(_request(answer) for answer in answers),
        failures=tuple(str(failure) for failure in failures),
        worker=running.worker,
        front=running.front,
        context_length=context,
        idle_cpu_s=round(idle_cpu_s, 3),
        at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


async def _prepared(session, turn, running, sizes):
    """What each client is to ask, messages and limit; a first turn is had now, untimed."""
    await _warm_up(running)
    conversations = []
    for client in range(turn.cell.clients):
        each = exchange(turn.cell, sizes, turn.model, turn.round, client)
        messages = each.messages
        if each.first is not None:
            answer = await ask(session, running.url, each.first, sizes.first_answer)
            messages = [*each.first, prompts.assistant(answer.text), *messages]
        conversations.append((messages, each.max_tokens))
    return conversations


async def _tried(session, running, messages, max_tokens):
    """The answer, or why there is none: one client's failure is not the others'."""
    try:
        return await ask(session, running.url, messages, max_tokens)
    except NoAnswer as failure:
        return failure


async def _warm_up(running):
    """Wake it: what waited a minute has cold caches, and a model that was put away is loaded again."""
    async with connections() as session:
        await ask(session, running.url, [prompts.SYSTEM, prompts.user("Say hello.")], 4)


async def _context_length(session, running, model):
    """The context that Isthmus says the loaded model has."""
    async with session.get(f"{running.url}/models") as response:
        listing = await response.json()
    return next((each.get("context_length") for each in listing["data"] if each["id"] == model), None)


def _rate(cell, sizes, answers, wall_s):
    """Tokens/s of all clients together: of the prompts for prefill, else of the answers."""
    if cell == MEMORY:
        return None
    tokens = sizes.prefill * len(answers) if cell.workload == "prefill" else sum(a.tokens for a in answers)
    return round(tokens / wall_s, 4)


def _request(answer):
    pace = answer.decode_tokens_per_s
    return Request(
        first_s=round(answer.first_s, 4),
        total_s=round(answer.total_s, 4),
        decode_tokens_per_s=None if pace is None else round(pace, 3),
        tokens=answer.tokens,
        chunks=answer.chunks,
        prompt_tokens=answer.prompt_tokens,
        finish=answer.finish,
    )
