"""The hand-off, live: what it recovers of the hosted model's quality, for which share, cost and wait.

Home is the starter (0.5B), the hosted side a second `isthmus serve` with the 1.5B, over real HTTP. Each
question of GSM8K's train split (openai/grade-school-math, MIT), rows 200 to 299 of --data, which no profile
has seen, is asked four times: at home alone, away alone, and in mode auto in both postures, quick (streamed)
and careful (not streamed). Each time a first line of its own keeps the prompt cache from helping.

Every answer is a line of handoff-live.jsonl as soon as it is there; a run that was killed goes on with
--resume.
"""

import asyncio
import gzip
import json
import random
import statistics
import tempfile
import time
from hashlib import sha256
from pathlib import Path

import aiohttp

from benchmarks.results import RESULTS, environment, save, verdict
from benchmarks.served import isthmus_serve
from isthmus.scoring import final_answer, quantity

ROWS = range(200, 300)
PASSES = ("home", "away", "quick", "careful")
MAX_TOKENS = 400
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


def measure(data, homes, models, *, profile=None, rows=ROWS, into=RESULTS, resume=False):
    """Ask every question in each of the four ways.

    Args:
        data: GSM8K's train.jsonl, or a beginning of it.
        homes: The folders of both servers.
        models: The models, at home and away.
        profile: The name of a calibrated profile in the first folder; by default the built-in one.
        rows: Which of the data's.
        into: Where results go.
        resume: Whether to go on with the lines that are there.
    """
    questions = _questions(Path(data), rows)
    lines = into / "handoff-live.jsonl"
    done = [json.loads(line) for line in lines.read_text().splitlines()] if resume and lines.exists() else []
    if not resume:
        lines.write_text("")
    asked = {(each["row"], each["pass"]) for each in done}
    home, away = models
    with tempfile.TemporaryDirectory() as folder, isthmus_serve(homes[1], "-m", away.name) as there:
        line = f'profile = "{profile}"' if profile else ""
        settings = SETTINGS.format(
            home=home.name, away=away.name, url=there.base_url, profile=line, prices=PRICES
        )
        Path(folder, "isthmus.toml").write_text(settings)
        with isthmus_serve(homes[0], folder=folder) as here:
            for number, question, gold in questions:
                for way in (each for each in PASSES if (number, each) not in asked):
                    server = there if way == "away" else here
                    row = {"row": number, "pass": way, **asyncio.run(_ask(server, way, number, question))}
                    row["right"] = _number_in(row.pop("text")) == gold
                    with lines.open("a") as file:
                        file.write(json.dumps(row) + "\n")
                    done.append(row)
                    print(f"row {number}, {way}: {row['route']}, {row['total_s']:.1f} s", flush=True)
    _report(Path(data), done, models, profile, into)


async def _ask(server, way, number, question):
    """One answer and how it came to be; seconds from the request on."""
    body = {
        "model": "default",
        "messages": [
            {"role": "system", "content": f"Session {number}{PASSES.index(way)}."},
            {"role": "user", "content": question + TASK},
        ],
        "max_tokens": MAX_TOKENS,
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


def _questions(data, rows):
    raw = data.read_bytes()
    text = (gzip.decompress(raw) if data.suffix == ".gz" else raw).decode()
    for number, line in enumerate(text.splitlines()):
        if number in rows:
            row = json.loads(line)
            yield number, row["question"], _number_in(row["answer"].split("####")[1])


def _number_in(text):
    """What an answer comes to; None where that is no number."""
    final = final_answer(text)
    return quantity(final.text) if final else None


# ---------------------------------------------------------------- what came out


def _report(data, done, models, profile, into):
    """Quality, share, cost and wait of each posture, beside home and away alone."""
    ways = {way: {each["row"]: each for each in done if each["pass"] == way} for way in PASSES}
    rows = sorted(set.intersection(*(set(each) for each in ways.values())))
    quality = {way: _interval([float(ways[way][row]["right"]) for row in rows]) for way in PASSES}
    postures = {way: _posture(ways, way, rows) for way in ("quick", "careful")}
    met = {
        "kept: first visible token within 1.3 times home's own": postures["quick"]["kept"]["ratio"] <= 1.3,
        "handed over: within the hosted model's own plus 0.5 s": postures["quick"]["handed"]["later_s"]
        <= 0.5,
    }
    for way in PASSES:
        print(f"{way}: {quality[way]['mean']:.0%} right {quality[way]['interval_95']}")
    for name, good in met.items():
        print(f"{name}: {verdict(good)}")
    save(
        "handoff-live",
        {
            "benchmark": "handoff-live",
            "environment": environment(),
            "data": {"name": "GSM8K, train split", "sha256": sha256(data.read_bytes()).hexdigest()},
            "home": models[0].name,
            "hosted": models[1].name,
            "profile": profile or "built in",
            "rows": len(rows),
            "quality": quality,
            "oracle": statistics.mean(ways["home"][r]["right"] or ways["away"][r]["right"] for r in rows),
            "postures": postures,
            "met": met,
        },
        into,
    )


def _posture(ways, way, rows):
    """One posture: its share, its cost, what it recovers, and the wait for the first visible token."""
    mine = ways[way]
    kept = [row for row in rows if mine[row]["route"] == "local"]
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
        "kept": _wait(mine, ways["home"], kept, lambda one, other: one / other, "ratio"),
        "handed": _wait(mine, ways["away"], handed, lambda one, other: one - other, "later_s"),
    }


def _price(usage):
    return (usage["prompt_tokens"] * PRICES[0] + usage["completion_tokens"] * PRICES[1]) / 1_000_000


def _wait(mine, alone, rows, compare, name):
    """Medians of the seconds to the first visible token, beside those of the model that answered, alone."""
    pairs = [(mine[row]["first_s"] or mine[row]["total_s"], alone[row]["first_s"]) for row in rows]
    if not pairs:
        return {"rows": 0, name: 0.0}
    own, theirs = (statistics.median(each) for each in zip(*pairs, strict=True))
    return {
        "rows": len(rows),
        "first_s": round(own, 3),
        "alone_s": round(theirs, 3),
        name: round(compare(own, theirs), 3),
    }


def _interval(values, seed=1, draws=10_000):
    """The mean and its bootstrapped 95% interval."""
    dice = random.Random(seed)
    means = sorted(statistics.fmean(dice.choices(values, k=len(values))) for _ in range(draws))
    return {
        "mean": round(statistics.fmean(values), 3),
        "interval_95": [round(means[int(draws * 0.025)], 3), round(means[int(draws * 0.975)], 3)],
    }
