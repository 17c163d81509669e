"""The gateway alone: Isthmus and LiteLLM before a scripted upstream that answers at once; `wrk` asks.

Isthmus runs as one process with a key, the hand-off policy (``auto``, with a hosted model configured) and the
ledger; LiteLLM's proxy as one worker with a master key and no database. Cells are taken in rounds, servers in
random order; the figures are medians over rounds, and ratios of the same round. To reach: 8 times LiteLLM's
requests/s, 10 times its streamed chunks/s, a sixth of its latency (p50 and p99); 200 requests a second with
1.2 ms (p50) and 6 ms (p99) to the first token; a thousand idle streams in under 300 MB.
"""

import asyncio
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
from msgspec import Struct

from benchmarks.paced import first_token_s, request_for
from benchmarks.peer import listening_server
from benchmarks.results import environment, interval, save, summary, verdict
from benchmarks.served import end_with_parent, isthmus_serve

ISTHMUS, LITELLM, UPSTREAM = "isthmus", "litellm", "upstream"
CHAT = Path(__file__).parent / "wrk" / "chat.lua"
CHUNKS = 50
MASTER_KEY = "sk-benchmark"
IDLE_STREAMS = 1000
RATE = 200
SETTINGS = """
model = "up/chunks-8"
[providers.up]
base_url = "{url}"
local = true
model = "chunks-8"
[providers.away]
base_url = "{url}"
model = "chunks-8"
input_usd_per_mtok = "1"
output_usd_per_mtok = "1"
[handoff]
mode = "{mode}"
provider = "away"
"""


class Cell(Struct, frozen=True):
    """What `wrk` asks: so many connections, streamed or whole answers of so many chunks."""

    name: str
    clients: int
    chunks: int
    streamed: bool


CELLS = (
    Cell("whole, one at a time", 1, 8, False),
    Cell("whole, 8 clients", 8, 8, False),
    Cell("whole, 64 clients", 64, 8, False),
    Cell("streamed, one at a time", 1, CHUNKS, True),
    Cell("streamed, 8 clients", 8, CHUNKS, True),
)


class Gateway(Struct, frozen=True):
    """A server to ask: its base URL, its key, what its models' names begin with, and its process."""

    url: str
    key: str
    prefix: str
    pid: int


# ---------------------------------------------------------------- the servers


@contextmanager
def upstream():
    """The scripted upstream: its base URL and process id."""
    command = [sys.executable, "-m", "benchmarks.upstream", "0"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=end_with_parent
    ) as process:
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1", process.pid
        finally:
            process.kill()


@contextmanager
def isthmus(url, mode):
    """Isthmus before the upstream, with a key that was created."""
    with tempfile.TemporaryDirectory() as home:
        (Path(home) / "isthmus.toml").write_text(SETTINGS.format(url=url, mode=mode))
        said = subprocess.run(
            [sys.executable, "-m", "isthmus", "key", "create", "benchmark"],
            env={**os.environ, "ISTHMUS_HOME": home},
            cwd=home,
            capture_output=True,
            text=True,
            check=True,
        )
        key = re.search(r"isk-[A-Za-z0-9_-]+", said.stdout + said.stderr)[0]
        with isthmus_serve(home) as run:
            yield Gateway(run.base_url, key, "up/", run.pid)


@contextmanager
def litellm(program, url):
    """LiteLLM's proxy before the upstream."""
    names = [f"chunks-{chunks}" for chunks in sorted({cell.chunks for cell in CELLS})]
    models = [
        {
            "model_name": name,
            "litellm_params": {"model": f"openai/{name}", "api_base": url, "api_key": "none"},
        }
        for name in names
    ]
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        config.write_text(json.dumps({"model_list": models, "general_settings": {"master_key": MASTER_KEY}}))
        words = [program, "--config", str(config), "--num_workers", "1", "--telemetry", "False"]
        with listening_server(words, ready=_answers_health) as (base, process):
            yield Gateway(base, MASTER_KEY, "", process.pid)


def _answers_health(url):
    try:
        with urllib.request.urlopen(url.removesuffix("/v1") + "/health/liveliness", timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


# ---------------------------------------------------------------- asking


def wrk(gateway, cell, seconds):
    """One run of `wrk`: what it counted."""
    words = [
        *("wrk", "-t1", f"-c{cell.clients}", f"-d{seconds}s", "--timeout", "20s", "-s", str(CHAT)),
        *(f"{gateway.url}/chat/completions", "--", f"{gateway.prefix}chunks-{cell.chunks}"),
        *(str(cell.streamed).lower(), gateway.key),
    ]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    counted = json.loads(said.splitlines()[-1])
    counted["requests_per_s"] = counted["requests"] / counted["seconds"]
    counted["chunks_per_s"] = counted["requests_per_s"] * cell.chunks
    return counted


def paced(gateway, seconds):
    """Times to the first token, in milliseconds, at a constant rate."""
    found = asyncio.run(
        first_token_s(
            gateway.url, f"{gateway.prefix}chunks-{CHUNKS}", gateway.key, rate=RATE, seconds=seconds
        )
    )
    times = sorted(1000 * each for each in found if each is not None)
    return {
        "rate": RATE,
        "p50_ms": round(statistics.median(times), 3),
        "p99_ms": round(times[int(len(times) * 0.99)], 3),
        "failed": sum(each is None for each in found),
    }


def idle(gateway):
    """What a thousand streams take that have begun and say no more."""
    request = request_for(gateway.url, f"{gateway.prefix}silent", gateway.key)
    host, port = gateway.url.split("/")[2].split(":")
    process = psutil.Process(gateway.pid)
    before = process.memory_info().rss

    async def hold():
        async def begun():
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(request)
            await reader.readuntil(b"well, ")
            return writer

        writers = []
        for _ in range(0, IDLE_STREAMS, 50):
            writers += await asyncio.gather(*(begun() for _ in range(50)))
        taken = process.memory_info().rss
        for writer in writers:
            writer.close()
        return len(writers), taken

    streams, taken = asyncio.run(hold())
    return {"streams": streams, "before_mb": round(before / 1e6, 1), "rss_mb": round(taken / 1e6, 1)}


# ---------------------------------------------------------------- measuring


def measure(litellm_program, rounds, seconds):
    """All cells, both gateways and the upstream alone."""
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is needed: apt-get install wrk")
    result = {"benchmark": "throughput", "environment": environment(), "seconds": seconds, "rounds": rounds}
    with ExitStack() as stack:
        url, pid = stack.enter_context(upstream())
        gateways = {
            UPSTREAM: Gateway(url, "none", "", pid),
            ISTHMUS: stack.enter_context(isthmus(url, "auto")),
        }
        if litellm_program:
            gateways[LITELLM] = stack.enter_context(litellm(litellm_program, url))
            version = Path(litellm_program).parent / "python"
            code = "from importlib.metadata import version; print(version('litellm'))"
            result["litellm"] = subprocess.check_output([version, "-c", code], text=True).strip()
        rows = [_cell(cell, gateways, rounds, seconds) for cell in CELLS]
        result["rows"] = rows
        result["paced"] = {
            name: paced(each, 2 * seconds) for name, each in gateways.items() if name != LITELLM
        }
        result["idle"] = idle(gateways[ISTHMUS])
        hosted = stack.enter_context(isthmus(url, "always"))
        result["hosted"] = wrk(hosted, CELLS[1], seconds)
    result["met"] = _met(result)
    for name, met in result["met"].items():
        print(f"{name}: {verdict(met)}")
    save("throughput", result)


def _cell(cell, gateways, rounds, seconds):
    chooser, found = random.Random(cell.name), {name: [] for name in gateways}
    for number in range(rounds + 1):
        for name in chooser.sample(list(gateways), len(gateways)):
            counted = wrk(gateways[name], cell, seconds if number else 1)
            if number:  # the first round warms up
                found[name].append(counted)
    row = {"cell": cell.name, "clients": cell.clients, "chunks": cell.chunks if cell.streamed else None}
    for name, counts in found.items():
        row[name] = {
            each: summary([count[each] for count in counts])
            for each in ("requests_per_s", "chunks_per_s", "p50_ms", "p99_ms", "errors")
        }
    row["ratios"] = {
        f"{each} over {peer}": {
            "median": round(statistics.median(ratios), 3),
            "interval_95": interval(ratios),
        }
        for each in ("requests_per_s", "chunks_per_s")
        for peer in found
        if peer != ISTHMUS
        for ratios in [
            [ours[each] / theirs[each] for ours, theirs in zip(found[ISTHMUS], found[peer], strict=True)]
        ]
    }
    for name in found.keys() - {UPSTREAM}:
        for each in ("p50_ms", "p99_ms"):
            pairs = zip(found[name], found[UPSTREAM], strict=True)
            row[name][f"added_{each}"] = summary([ours[each] - alone[each] for ours, alone in pairs])
    told = ", ".join(
        f"{name} {row[name]['requests_per_s']['median']:.0f}/s p50 {row[name]['p50_ms']['median']:.2f} ms"
        for name in found
    )
    print(f"{cell.name}: {told}", flush=True)
    return row


def _met(result):
    rows = {row["cell"]: row for row in result["rows"]}
    one = rows["whole, one at a time"]
    met = {
        "added p50, one at a time, <= 0.6 ms": one[ISTHMUS]["added_p50_ms"]["median"] <= 0.6,
        f"{RATE} requests/s: p50 <= 1.2 ms to the first token": result["paced"][ISTHMUS]["p50_ms"] <= 1.2,
        f"{RATE} requests/s: p99 <= 6 ms to the first token": result["paced"][ISTHMUS]["p99_ms"] <= 6,
        f"{IDLE_STREAMS} idle streams in under 300 MB": result["idle"]["rss_mb"] < 300,
    }
    if LITELLM not in one:
        return met
    for each in ("p50_ms", "p99_ms"):
        ours, theirs = (one[name][f"added_{each}"]["median"] for name in (ISTHMUS, LITELLM))
        met[f"added {each[:3]} at most a sixth of LiteLLM's"] = 6 * ours <= theirs
    whole, streamed = rows["whole, 8 clients"]["ratios"], rows["streamed, 8 clients"]["ratios"]
    met["8 times LiteLLM's requests/s"] = whole[f"requests_per_s over {LITELLM}"]["median"] >= 8
    met["10 times LiteLLM's chunks/s"] = streamed[f"chunks_per_s over {LITELLM}"]["median"] >= 10
    return met
