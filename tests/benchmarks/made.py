"""Rows as a run would have written them."""

from benchmarks.processes import Memory
from benchmarks.rows import Request, Row, Run

ANSWER = Request(0.5, 2.0, 40.0, 64, 64, 60, "length")


def row(server="isthmus", rate=10.0, *, model="tiny", workload="decode", clients=1, number=1, **changes):
    fields = {
        "model": model,
        "workload": workload,
        "clients": clients,
        "server": server,
        "round": number,
        "rate": rate,
        "wall_s": 2.0,
        "requests": (ANSWER,),
        "failures": (),
        "worker": Memory(120.0, 100.0),
        "front": Memory(60.0, 50.0) if server == "isthmus" else None,
        "context_length": None,
        "idle_cpu_s": 0.0,
        "at": "2026-01-01T00:00:00+00:00",
    }
    return Row(**fields | changes)


def run(**changes):
    fields = {
        "environment": {"machine": "A", "cores": 2, "python": "3.11.7", "command": "speed", "at": "now"},
        "servers": {name: {"version": "1", "set": "nothing"} for name in ("isthmus", "xllamacpp")},
        "sizes": {"prefill": 512},
        "seed": 1,
    }
    return Run(**fields | changes)
