"""What `isthmus serve` costs: the same prompts through it and to llama.cpp's server itself, in turns.

Both servers hold the tiny model with the same slots and context. A round is one request from each client.
Rounds come in pairs, in random order and with the same prompts, so that what else the machine does falls on
both alike; the figures are medians of the pairs' ratios and differences, with bootstrapped intervals.
To reach: at least 0.97 of the peer's tokens/s, at most 3 ms more to the first token (median).
"""

import asyncio
import json
import random
import statistics
import time

import aiohttp

from benchmarks.peer import llama_server
from benchmarks.results import environment, interval, save, summary, verdict
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


async def round_of(url, texts):
    """One round, a client for each text: tokens/s over all, and the median time to the first token."""
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:
        began = time.perf_counter()
        done = await asyncio.gather(*(one(session, url, text) for text in texts))
        wall = time.perf_counter() - began
    return sum(tokens for _, tokens in done) / wall, statistics.median(first for first, _ in done)


async def compare(ours, peer, clients, rounds):
    """Pairs of rounds in random order, each pair with prompts of its own."""
    order = random.Random(clients)
    pairs = []
    for number in range(rounds + 1):
        texts = list(prompts(1000 * clients + number, clients))
        pair = {}
        for name, url in order.sample([("isthmus", ours), ("peer", peer)], 2):
            pair[name] = await round_of(url, texts)
        if number:  # the first pair warms both up
            pairs.append(pair)
    ratios = [pair["isthmus"][0] / pair["peer"][0] for pair in pairs]
    added_ms = [1000 * (pair["isthmus"][1] - pair["peer"][1]) for pair in pairs]
    ratio, added = statistics.median(ratios), statistics.median(added_ms)
    print(
        f"{clients} clients, {rounds} pairs: {ratio:.3f} of the peer's tokens/s {interval(ratios)} "
        f"({verdict(ratio >= 0.97)}), {added:+.2f} ms to the first token {interval(added_ms)} "
        f"({verdict(added <= 3)})",
        flush=True,
    )
    return {
        "clients": clients,
        "tokens_per_s": {name: summary([pair[name][0] for pair in pairs]) for name in ("isthmus", "peer")},
        "first_token_s": {name: summary([pair[name][1] for pair in pairs]) for name in ("isthmus", "peer")},
        "ratio": summary(ratios) | {"interval_95": interval(ratios)},
        "added_first_token_ms": summary(added_ms) | {"interval_95": interval(added_ms)},
        "met": {"ratio >= 0.97": ratio >= 0.97, "added <= 3 ms": added <= 3},
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
            asyncio.run(compare(run.base_url, peer, clients, pairs))
            for clients, pairs in ((1, 5 * rounds), (8, 2 * rounds))
        ]
    save("gateway", result)
