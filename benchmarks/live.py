"""The hand-off, live: what it recovers of the hosted model's quality, for which share, cost and wait.

Home is the starter (0.5B), the hosted side a second `isthmus serve` with the 1.5B, over real HTTP. Each
question of GSM8K's train split (openai/grade-school-math, MIT), rows 200 to 299 of --data, which no profile
has seen, is asked four times: at home alone, away alone, and in mode auto in both postures, quick (streamed)
and careful (not streamed). Each time a first line of its own keeps the prompt cache from helping.

Every answer is a line of handoff-live.jsonl as soon as it is there; a run that was killed goes on with
--resume, and what is there can be reported at any time (--report), of the questions that were asked in all
four ways. With --waits only beginnings are asked for (handoff-waits.jsonl), one way right after the other, so
that the waits for the first visible token are compared under the same load; ten easy facts come first, for
what stays home.
"""

import asyncio
import gzip
import json
import random
import statistics
import tempfile
import time
from collections import Counter
from hashlib import sha256
from pathlib import Path

import aiohttp
import msgspec

from benchmarks.handoff import FACTS
from benchmarks.results import RESULTS, environment, save, verdict
from benchmarks.served import isthmus_serve
from isthmus.handoff.estimator import builtin
from isthmus.handoff.estimator.storage import profile_path
from isthmus.scoring import final_answer, quantity

ROWS = range(200, 300)
PASSES = ("home", "away", "quick", "careful")
WAITS = ("home", "away", "quick")
MAX_TOKENS = 400
BEGINNING = 24
"""Tokens of a beginning: more than are held back."""
TASK = "\nThink step by step, then give the final answer as \\boxed{number}."
SETTINGS = """
model = "{home}"
max_tokens = 400
temperature = 0
[handoff]
mode = "auto"
provider = "big"
{profile}
[providers.big]
base_url = "{url}"
model = "{away}"
input_usd_per_mtok = {prices[0]}
output_usd_per_mtok = {prices[1]}
"""
PRICES = (0.15, 0.60)


# ---------------------------------------------------------------- asking


def measure(data, homes, models, *, profile=None, rows=ROWS, into=RESULTS, resume=False, waits=False):
    """Ask every question in each of the ways.

    Args:
        data: GSM8K's train.jsonl, or a beginning of it.
        homes: The folders of both servers.
        models: The models, at home and away.
        profile: The name of a calibrated profile in the first folder; by default the built-in one.
        rows: Which of the data's.
        into: Where results go.
        resume: Whether to go on with the lines that are there.
        waits: Whether to ask for beginnings only, in the ways that stream.
    """
    questions = [*(_facts() if waits else ()), *_questions(Path(data), rows)]
    passes, tokens = (WAITS, BEGINNING) if waits else (PASSES, MAX_TOKENS)
    lines = _lines(into, waits=waits)
    done = _there(lines) if resume else []
    if not resume:
        lines.write_text("")
    asked = {(each["row"], each["pass"]) for each in done}
    judge = _digest(homes[0], profile)
    home, away = models
    with tempfile.TemporaryDirectory() as folder, isthmus_serve(homes[1], "-m", away.name) as there:
        line = f'profile = "{profile}"' if profile else ""
        settings = SETTINGS.format(
            home=home.name, away=away.name, url=there.base_url, profile=line, prices=PRICES
        )
        Path(folder, "isthmus.toml").write_text(settings)
        with isthmus_serve(homes[0], folder=folder) as here:
            for number, question, gold in questions:
                for way in (each for each in passes if (number, each) not in asked):
                    server = there if way == "away" else here
                    answer = asyncio.run(_ask(server, way, number, question, tokens))
                    row = {"row": number, "pass": way, "judge": judge, **answer}
                    row["right"] = _number_in(row.pop("text")) == gold
                    with lines.open("a") as file:
                        file.write(json.dumps(row) + "\n")
                    print(f"row {number}, {way}: {row['route']}, {row['total_s']:.1f} s", flush=True)
    tell(data, models, profile=profile, rows=rows, into=into, waits=waits)


async def _ask(server, way, number, question, tokens):
    """One answer and how it came to be; seconds from the request on."""
    body = {
        "model": "default",
        "messages": [
            {"role": "system", "content": f"Session {number}{PASSES.index(way)}."},
            {"role": "user", "content": question},
        ],
        "max_tokens": tokens,
        "temperature": 0,
        "stream": way != "careful",
        "isthmus": {"handoff": "off"} if way == "home" else {},
    }
    if body["stream"]:
        body["stream_options"] = {"include_usage": True}
    headers = {"Authorization": f"Bearer {server.secret.reveal()}"} if server.secret else {}
    began = time.perf_counter()
    url = f"{server.base_url}/chat/completions"
    async with aiohttp.ClientSession() as session, session.post(url, json=body, headers=headers) as response:
        response.raise_for_status()
        if way == "careful":
            told = await response.json()
            text, first_s = told["choices"][0]["message"]["content"], None
            isthmus, usage = told["isthmus"], told["usage"]
        else:
            text, first_s, isthmus, usage = await _streamed(response, began)
    return {
        "text": text or "",
        "first_s": first_s,
        "total_s": time.perf_counter() - began,
        "route": isthmus["route"],
        "reason": isthmus["reason"],
        "stage": isthmus["stage"],
        "score": isthmus.get("score"),
        "cost_usd": float(isthmus.get("cost_usd", 0)),
        "usage": {name: usage[name] for name in ("prompt_tokens", "completion_tokens")},
    }


async def _streamed(response, began):
    """The text, the seconds to the first visible piece of it, what was said beside it, and its tokens."""
    pieces, first_s, isthmus, usage = [], None, {}, None
    async for line in response.content:
        if not line.startswith(b"data: {"):
            continue
        chunk = json.loads(line[6:])
        isthmus |= chunk.get("isthmus") or {}
        usage = chunk.get("usage") or usage
        for choice in chunk.get("choices", ()):
            if piece := choice["delta"].get("content"):
                first_s = first_s or time.perf_counter() - began
                pieces.append(piece)
    return "".join(pieces), first_s, isthmus, usage


def _digest(home, profile):
    """Which profile judges: a run that goes on later may have another built-in one than it began with."""
    data = profile_path(home, profile).read_bytes() if profile else builtin().data
    return sha256(data if profile else msgspec.json.encode(data)).hexdigest()[:12]


def _lines(into, *, waits):
    return into / ("handoff-waits.jsonl" if waits else "handoff-live.jsonl")


def _there(lines):
    return [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []


def _facts():
    """Questions that should stay home; whether they are answered well is no matter here."""
    return [(f"fact {place}", question, None) for place, (question, _) in enumerate(FACTS)]


def _questions(data, rows):
    raw = data.read_bytes()
    text = (gzip.decompress(raw) if data.suffix == ".gz" else raw).decode()
    for number, line in enumerate(text.splitlines()):
        if number in rows:
            row = json.loads(line)
            yield number, row["question"] + TASK, _number_in(row["answer"].split("####")[1])


def _number_in(text):
    """What an answer comes to; None where that is no number."""
    final = final_answer(text)
    return quantity(final.text) if final else None


# ---------------------------------------------------------------- what came out


def tell(data, models, *, profile=None, rows=ROWS, into=RESULTS, waits=False):
    """Write what the lines that are there come to, of the questions that were asked in every way."""
    done = _there(_lines(into, waits=waits))
    passes = WAITS if waits else PASSES
    ways = {way: {each["row"]: each for each in done if each["pass"] == way} for way in passes}
    asked = sorted(set.intersection(*(set(each) for each in ways.values())), key=str)
    wanted = len(rows) + (len(FACTS) if waits else 0)
    print(f"{len(asked)} of {wanted} questions were asked in every way; --resume goes on")
    found = {
        "benchmark": "handoff-waits" if waits else "handoff-live",
        "environment": environment(),
        "data": {"name": "GSM8K, train split", "sha256": sha256(Path(data).read_bytes()).hexdigest()},
        "home": models[0].name,
        "hosted": models[1].name,
        "profile": profile or "built in",
        "rows": len(asked),
        "rows_wanted": wanted,
        "judged_by": dict(Counter(ways["quick"][row].get("judge", "an earlier profile") for row in asked)),
    }
    found |= _waits(ways, asked) if waits else _quality(ways, asked)
    save(found["benchmark"], found, into)


def _quality(ways, rows):
    """Quality, share and cost of each posture, beside home and away alone."""
    quality = {way: _interval([float(each[row]["right"]) for row in rows]) for way, each in ways.items()}
    for way, each in quality.items():
        print(f"{way}: {each['mean']:.0%} right {each['interval_95']}")
    return {
        "quality": quality,
        "oracle": statistics.mean(ways["home"][r]["right"] or ways["away"][r]["right"] for r in rows),
        "postures": {way: _posture(ways, way, rows) for way in ("quick", "careful")},
    }


def _waits(ways, rows):
    """Medians of the seconds to the first visible token, beside those of the model that answers, alone."""
    mine = ways["quick"]
    sides = {"local": ("home", []), "hosted": ("away", [])}
    for row in rows:
        alone, pairs = sides[mine[row]["route"]]
        if mine[row]["first_s"] and ways[alone][row]["first_s"]:
            pairs.append((mine[row]["first_s"], ways[alone][row]["first_s"]))
    found, met = {}, {}
    for side, (alone, pairs) in sides.items():
        if not pairs:
            continue
        own, theirs = (statistics.median(each) for each in zip(*pairs, strict=True))
        found[side] = {"rows": len(pairs), "first_s": round(own, 3), f"{alone}_alone_s": round(theirs, 3)}
        found[side]["ratio"], found[side]["later_s"] = round(own / theirs, 3), round(own - theirs, 3)
    if "local" in found:
        met["kept: first visible token within 1.3 times home's own"] = found["local"]["ratio"] <= 1.3
    if "hosted" in found:
        met["handed over: within the hosted model's own plus 0.5 s"] = found["hosted"]["later_s"] <= 0.5
    for name, good in met.items():
        print(f"{name}: {verdict(good)}")
    return {"waits": found, "met": met}


def _posture(ways, way, rows):
    """One posture: its share, its cost, what it recovers, and how long it takes."""
    mine = ways[way]
    handed = [row for row in rows if mine[row]["route"] == "hosted"]
    everything = sum(_price(ways["away"][row]["usage"]) for row in rows)
    gap = sum(ways["away"][row]["right"] - ways["home"][row]["right"] for row in rows)
    gained = sum(mine[row]["right"] - ways["home"][row]["right"] for row in rows)
    return {
        "handed_over": len(handed) / len(rows),
        "gap_recovered": round(gained / gap, 3) if gap else None,
        "cost_usd": round(sum(mine[row]["cost_usd"] for row in rows), 6),
        "cost_usd_of_everything": round(everything, 6),
        "total_s": round(statistics.median(mine[row]["total_s"] for row in rows), 2),
    }


def _price(usage):
    return (usage["prompt_tokens"] * PRICES[0] + usage["completion_tokens"] * PRICES[1]) / 1_000_000


def _interval(values, seed=1, draws=10_000):
    """The mean and its bootstrapped 95% interval."""
    dice = random.Random(seed)
    means = sorted(statistics.fmean(dice.choices(values, k=len(values))) for _ in range(draws))
    return {
        "mean": round(statistics.fmean(values), 3),
        "interval_95": [round(means[int(draws * 0.025)], 3), round(means[int(draws * 0.975)], 3)],
    }
