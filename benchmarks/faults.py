"""A thousand injected faults under load: nothing is lost, cut answers don't pass for whole, no cap is passed.

Sixteen clients ask a real `isthmus serve` over HTTP, half of them streaming. Two providers, the second a
fallback for the first, fail at more than half of all requests, in twenty ways (`benchmarks.faulty`); the
local worker is killed again and again, by its process id. In each of several rounds the server starts anew
on the same ledger, with a cap on the day's dollars that is reached before the round ends.

What is counted, for each question:
- whole: it ended as an answer ends. Where a provider gave it, it is the right one, word for word.
- told: it broke off, or nobody could answer, and an error says so. A question that isn't streamed must not
  end so while home works: nothing was shown, so home can still answer.
- lost: no answer and no error.
- cut: it ended as an answer ends, and wasn't whole.

And of the money: what is booked is at most the cap, and at least what the providers would bill.
"""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import aiohttp
import psutil
from msgspec import Struct

from benchmarks.faulty import INPUT_USD, ODD, OUTPUT_USD, Provider, right_answer
from benchmarks.processes import family
from benchmarks.results import environment, save, summary, verdict
from benchmarks.served import isthmus_serve
from isthmus.ledger import Ledger, open_database

CLIENTS = 16
ROUNDS = 5
SHARE = 0.6
MAX_TOKENS = 8
REFUSALS = CLIENTS
"""Questions that the cap keeps home, after which a round has seen enough of it."""
PATIENCE_S = 120
KILL_AFTER = (24, 40)
"""After so many answers of the worker it is killed: by answers and not by time, so that a slow machine's
worker isn't killed before it has said anything. A question is asked anew once, so that those whom two such
ends meet are told; more answers than there are clients between them make that rare."""
AT_HOME = 0.1
"""The share of the questions that ask to stay home, so that the worker has work when it is killed."""


class Outcome(Struct, frozen=True, kw_only=True):
    """What came of one question."""

    kind: str
    route: str
    streamed: bool
    total_s: float
    why: str | None = None


def measure(model, home, faults, into, seed=1):
    """Inject so many faults, then count."""
    before = environment()
    outcomes, rounds = asyncio.run(_all_rounds(model, home, faults, seed))
    chain = subprocess.run(
        [sys.executable, "-m", "isthmus", "handoff", "verify"],
        env={**os.environ, "ISTHMUS_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    result = {
        "benchmark": "faults",
        "environment": before,
        "model": model.name,
        "clients": CLIENTS,
        "seed": seed,
        "rounds": rounds,
        **counted(outcomes, rounds),
        "chain": {
            "exit_code": chain.returncode,
            "said": (chain.stdout + chain.stderr).strip().splitlines()[-1:],
        },
    }
    result["met"]["the chain is unbroken"] = chain.returncode == 0
    save("faults", result, into)
    for what, met in result["met"].items():
        print(f"{what}: {verdict(met)}")


def counted(outcomes, rounds):
    """How questions ended, and what must hold of it."""
    ends = Counter(outcome.kind for outcome in outcomes)
    needless = [each for each in outcomes if each.kind == "told" and not each.streamed]
    return {
        "questions": len(outcomes),
        "faults": {
            "providers": sum(each["provider_faults"] for each in rounds),
            "worker_kills": sum(each["worker_kills"] for each in rounds),
        },
        "ends": dict(ends),
        "whole_by_route": dict(Counter(each.route for each in outcomes if each.kind == "whole")),
        "told_though_not_streamed": len(needless),
        "told": dict(Counter(each.why for each in outcomes if each.kind == "told").most_common(20)),
        "lost": [each.why for each in outcomes if each.kind in ("lost", "cut")][:20],
        "total_s": summary([each.total_s for each in outcomes]),
        "met": {
            "no answer is lost": ends["lost"] == 0,
            "no cut answer is shown as whole": ends["cut"] == 0,
            "what isn't streamed is answered": not needless,
            "no cent over a cap": all(
                Decimal(each["booked_usd"]) <= Decimal(each["cap_usd"]) for each in rounds
            ),
            "no cent unbooked": all(
                Decimal(each["billed_usd"]) <= Decimal(each["booked_usd"]) for each in rounds
            ),
        },
    }


async def _all_rounds(model, home, faults, seed):
    outcomes, rounds = [], []
    async with Provider(f"{seed}/a", SHARE) as one, Provider(f"{seed}/b", SHARE) as other:
        injected, number = 0, 0
        while injected < faults:
            number += 1
            share = max(faults // ROUNDS, 1)
            before = Counter({"a": one.faults.total(), "b": other.faults.total()})
            found, kills, cap = await _round(model, home, (one, other), share, number, seed)
            outcomes += found
            told = one.faults.total() + other.faults.total() - before.total()
            injected += told + kills
            rounds.append(
                {
                    "questions": len(found),
                    "provider_faults": told,
                    "worker_kills": kills,
                    "cap_usd": str(cap),
                    "booked_usd": str(_booked(home)),
                    "billed_usd": str(one.billed_usd + other.billed_usd),
                    "refused_by_the_cap": _refused(found),
                }
            )
            print(f"round {number}: {json.dumps(rounds[-1])}", flush=True)
        kinds = one.faults + other.faults
        rounds[-1]["by_kind"] = dict(sorted(kinds.items()))
        rounds[-1]["odd"] = {kind: (one.odd + other.odd)[kind] for kind in ODD}
    return outcomes, rounds


async def _round(model, home, providers, faults, number, seed):
    """One server from start to stop: so many faults, and the cap reached."""
    worst = 700 * INPUT_USD + MAX_TOKENS * OUTPUT_USD  # of one call, roughly: it counts bytes as tokens
    cap = (_booked(home) + worst * Decimal(faults) * Decimal("0.22")).quantize(Decimal("0.0001"))
    outcomes, kills = [], [0]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "isthmus.toml").write_text(_settings(model, providers, cap))
        with isthmus_serve(home, "-m", model.name, folder=folder) as run:
            began = sum(each.faults.total() for each in providers)

            def done():
                injected = sum(each.faults.total() for each in providers) - began + kills[0]
                return injected >= faults or _refused(outcomes) >= REFUSALS

            chance = random.Random(f"{seed}/kills/{number}")
            killing = asyncio.create_task(_kill_workers(run.pid, chance, outcomes, kills))
            connector = aiohttp.TCPConnector(limit=0)
            async with aiohttp.ClientSession(connector=connector) as session:
                await asyncio.gather(
                    *(
                        _client(session, run, f"{seed}/{number}/{client}", done, outcomes)
                        for client in range(CLIENTS)
                    )
                )
            killing.cancel()
    return outcomes, kills[0], cap


def _settings(model, providers, cap):
    tables = "".join(
        f"""
        [providers.{name}]
        base_url = "{provider.url}"
        model = "scripted"
        input_usd_per_mtok = {INPUT_USD * 1_000_000}
        output_usd_per_mtok = {OUTPUT_USD * 1_000_000}
        first_byte_timeout_s = 1.0
        stall_timeout_s = 1.0
        """
        for name, provider in zip(("one", "other"), providers, strict=True)
    )
    return f"""
        model = "{model.name}"
        max_tokens = {MAX_TOKENS}
        [engine]
        context_length = 8192
        [server]
        log_requests = false
        [handoff]
        mode = "always"
        providers = ["one", "other"]
        max_output_tokens = {MAX_TOKENS}
        deadline_s = 10
        breaker_failures = 6
        breaker_rest_s = 0.5
        [handoff.budget]
        day_usd = {cap}
        {tables}"""


async def _kill_workers(server, chance, outcomes, kills):
    """End the server's worker again and again, as a crash would: by its process id, without a word."""
    answered = 0
    while True:
        goal = answered + chance.randint(*KILL_AFTER)
        while answered < goal:
            await asyncio.sleep(0.05)
            answered = sum(each.route == "local" and each.kind == "whole" for each in outcomes)
        for process in family(server)[1:]:
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                if "isthmus" in " ".join(process.cmdline()):
                    os.kill(process.pid, signal.SIGKILL)
                    kills[0] += 1


async def _client(session, run, name, done, outcomes):
    chance, number = random.Random(name), 0
    while not done():
        number += 1
        question = f"Repeat after me, for {_word(chance)}.{_word(chance)}@example.com:"
        body = {
            "messages": [{"role": "user", "content": question}],
            "max_tokens": MAX_TOKENS,
            "stream": chance.random() < 0.5,
        }
        if chance.random() < AT_HOME:
            body["isthmus"] = {"handoff": "off"}
        outcomes.append(await _ask(session, run, body, question))


async def _ask(session, run, body, question):
    began = time.perf_counter()
    text, finish, route, error, done = "", None, {}, None, False
    try:
        async with asyncio.timeout(PATIENCE_S):
            async with session.post(f"{run.base_url}/chat/completions", json=body) as response:
                if response.status != 200:
                    error = (await response.json(content_type=None))["error"]
                elif not body["stream"]:
                    answer = await response.json()
                    route, done = answer["isthmus"], True
                    text, finish = (
                        answer["choices"][0]["message"]["content"],
                        answer["choices"][0]["finish_reason"],
                    )
                else:
                    async for payload in _payloads(response):
                        if payload == "[DONE]":
                            done = True
                            continue
                        chunk = json.loads(payload)
                        error = chunk.get("error", error)
                        route = {**route, **chunk.get("isthmus", {})}
                        for choice in chunk.get("choices", ()):
                            text += choice["delta"].get("content") or ""
                            finish = choice["finish_reason"] or finish
    except (TimeoutError, aiohttp.ClientError, json.JSONDecodeError, KeyError) as broken:
        return _outcome("lost", route, body, began, f"{type(broken).__name__}: {broken}"[:200])
    if error is not None:
        # An error must not look like an answer's end.
        kind = "cut" if finish or done else "told"
        return _outcome(kind, route, body, began, f"{error.get('code')}: {error.get('message')}"[:200])
    if not finish or not done:
        return _outcome("lost", route, body, began, "the stream ended without a word")
    if route.get("route") == "hosted" and text != right_answer(question):
        return _outcome("cut", route, body, began, text[:200])
    return _outcome("whole", route, body, began, route.get("reason"))


def _refused(outcomes):
    """How many questions stayed home because of the cap."""
    return sum(each.why == "budget_exceeded" for each in outcomes)


async def _payloads(response):
    async for line in response.content:
        if line.startswith(b"data: "):
            yield line[6:].strip().decode()


def _outcome(kind, route, body, began, why):
    return Outcome(
        kind=kind,
        route=route.get("route", "nobody"),
        streamed=body["stream"],
        total_s=round(time.perf_counter() - began, 3),
        why=why,
    )


def _word(chance):
    return "".join(chance.choices("abcdefghijklmnoprstuvw", k=5))


def _booked(home):
    """Dollars that the ledger has booked today."""
    path = Path(home) / "ledger.sqlite3"
    if not path.exists():
        return Decimal(0)
    database = open_database(path)
    try:
        return Ledger(database).spent("day")
    finally:
        database.dispose()
