"""What a person waits for: `isthmus ask` on a cached model, and `isthmus --help`.

To reach: the first token within 1.5 times what a bare worker takes to load and prefill; the help in 200 ms.
The bare worker is xllamacpp in a Python of its own, given the same prompt.
"""

import os
import statistics
import subprocess
import sys
import time

from benchmarks.results import environment, save, summary, verdict

QUESTION = "Why is the sky blue? Answer in one sentence."

BARE = """
import json, sys, urllib.request, xllamacpp
params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.hostnames, params.port = ["127.0.0.1"], 0
params.n_ctx, params.n_parallel, params.kv_unified = 16384, 8, True
params.cache_ram_mib, params.verbosity = 1024, 2
server = xllamacpp.Server(params)
body = {"messages": [{"role": "user", "content": sys.argv[2]}], "max_tokens": 8, "stream": True}
request = urllib.request.Request(server.listening_address + "/v1/chat/completions", json.dumps(body).encode(),
                                 {"Content-Type": "application/json"})
for line in urllib.request.urlopen(request):
    if b'"content":"' in line:
        sys.stdout.write("x"); sys.stdout.flush()
        break
import os; os._exit(0)
"""


def first_byte_s(command, environment_):
    """Seconds from the start of a command to the first byte on its stdout."""
    began = time.perf_counter()
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment_
    ) as process:
        byte = process.stdout.read(1)
        waited = time.perf_counter() - began
        process.stdout.read()
    if not byte:
        raise SystemExit(f"{command[:4]} said nothing")
    return waited


def measure(model, home, rounds):
    """Alternating runs of both, then the help."""
    variables = {**os.environ, "ISTHMUS_HOME": str(home)}
    ask = [sys.executable, "-m", "isthmus", "ask", "-m", model.name, "--max-tokens", "8", QUESTION]
    bare = [sys.executable, "-c", BARE, str(model.path), QUESTION]
    times = {"ask": [], "bare": []}
    for command in (ask, bare):
        first_byte_s(command, variables)
    for _ in range(rounds):
        times["ask"].append(first_byte_s(ask, variables))
        times["bare"].append(first_byte_s(bare, variables))
    ratio = statistics.median(times["ask"]) / statistics.median(times["bare"])
    helps = []
    for _ in range(2 * rounds):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "isthmus", "--help"], stdout=subprocess.DEVNULL, check=True)
        helps.append(time.perf_counter() - began)
    help_ms = 1000 * statistics.median(helps)
    print(
        f"ask, {model.name}: first token after {ratio:.2f} of a bare worker's load and prefill "
        f"({verdict(ratio <= 1.5)})"
    )
    print(f"--help: {help_ms:.0f} ms ({verdict(help_ms <= 200)})")
    save(
        f"startup-{model.name.replace(':', '-')}",
        {
            "benchmark": "startup",
            "environment": environment(),
            "model": model.name,
            "first_token_s": {name: summary(each) for name, each in times.items()},
            "ratio": round(ratio, 3),
            "help_ms": round(help_ms, 1),
            "met": {"ratio <= 1.5": ratio <= 1.5, "help <= 200 ms": help_ms <= 200},
        },
    )
