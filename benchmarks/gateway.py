"""What `isthmus serve` costs: the same prompts through it and to llama.cpp's server itself, in turns.

Both servers hold the tiny model with the same slots and context. Rounds alternate (A B B A ...), so that
what else the machine does falls on both alike; the figures are ratios within a pair of rounds.
To reach: at least 0.97 of the peer's tokens/s, at most 3 ms more to the first token (median).
"""

import asyncio
import json
import random
import statistics
import time

import aiohttp

from benchmarks.peer import llama_server
from benchmarks.results import environment, save, summary, verdict
from benchmarks.served import isthmus_serve
from isthmus.settings import EngineSettings

MAX_TOKENS = 64
TOPICS = [
    "rain",
    "trains",
    "bread",
    "rivers",
    "clocks",
    "maps",
    "tea",
    "bridges",
    "salt",
    "wool",
    "lamps",
    "seeds",
    "tides",
    "ink",
    "glass",
    "bells",
]


def prompts(seed, count):
    """Prompts of about fifty tokens that share no beginning, so that no cache favours anyone."""
    chooser = random.Random(seed)
    for _ in range(count):
        words = " ".join(chooser.choice(TOPICS) for _ in range(24))
        yield f"{chooser.randrange(10**6)}: {words}. Tell me a long story about these things."


async def one(session, url, prompt):
    """Stream one answer: seconds to the first token, tokens in all."""
    body = {
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": MAX_TOKENS,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    began, first, tokens = time.perf_counter(), None, 0
    async with session.post(f"{url}/chat/completions", json=body) as response:
        response.raise_for_status()
        async for line in response.content:
            if first is None and b'"content":"' in line and b'"content":""' not in line:
                first = time.perf_counter() - began
            if b'"usage"' in line and line.startswith(b"data: {"):
                usage = json.loads(line[6:]).get("usage")
                tokens = usage["completion_tokens"] if usage else tokens
    return first, tokens


async def round_of(url, clients, texts):
    """One round: tokens/s over all clients, and each request's time to its first token."""
    waiting, done = list(texts), []
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def client():
            while waiting:
                done.append(await one(session, url, waiting.pop()))

        began = time.perf_counter()
        await asyncio.gather(*(client() for _ in range(clients)))
        wall = time.perf_counter() - began
    return sum(tokens for _, tokens in done) / wall, [first for first, _ in done]


async def compare(ours, peer, clients, rounds, requests):
    """Alternating rounds at one number of clients."""
    rates, firsts = {"isthmus": [], "peer": []}, {"isthmus": [], "peer": []}
    seed = 1000 * clients
    await round_of(ours, clients, prompts(seed, clients))
    await round_of(peer, clients, prompts(seed, clients))
    for number in range(rounds):
        order = [("isthmus", ours), ("peer", peer)]
        for name, url in order if number % 2 == 0 else reversed(order):
            rate, first = await round_of(url, clients, prompts(seed + number + 1, requests))
            rates[name].append(rate)
            firsts[name].extend(first)
        print(
            f"  {clients} clients, round {number + 1}: {rates['isthmus'][-1] / rates['peer'][-1]:.3f}",
            flush=True,
        )
    ratios = [mine / theirs for mine, theirs in zip(rates["isthmus"], rates["peer"], strict=True)]
    ratio = statistics.median(ratios)
    added_ms = 1000 * (statistics.median(firsts["isthmus"]) - statistics.median(firsts["peer"]))
    print(
        f"{clients} clients: {ratio:.3f} of the peer's tokens/s ({verdict(ratio >= 0.97)}), "
        f"{added_ms:+.2f} ms to the first token ({verdict(added_ms <= 3)})"
    )
    return {
        "clients": clients,
        "requests_per_round": requests,
        "tokens_per_s": {name: summary(each) for name, each in rates.items()},
        "ratio": summary(ratios),
        "first_token_s": {name: summary(each) for name, each in firsts.items()},
        "added_first_token_ms": round(added_ms, 3),
        "met": {"ratio >= 0.97": ratio >= 0.97, "added <= 3 ms": added_ms <= 3},
    }


def measure(model, home, rounds):
    """Both servers up, one and eight clients."""
    settings = EngineSettings()
    context = min(settings.context_length, 8192)
    result = {
        "benchmark": "gateway",
        "environment": environment(),
        "model": model.name,
        "max_tokens": MAX_TOKENS,
    }
    with (
        llama_server(model.path, context, settings.parallel) as peer,
        isthmus_serve(home, "-m", model.name) as run,
    ):
        result["rows"] = [
            asyncio.run(compare(run.base_url, peer, clients, rounds, requests))
            for clients, requests in ((1, 4), (8, 16))
        ]
    save("gateway", result)
