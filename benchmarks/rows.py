"""The rows of a long run, each on disk before the next is measured, so that a killed run can go on."""

import os
from pathlib import Path

import msgspec
from msgspec import Struct

from benchmarks.processes import Memory


class Run(Struct, frozen=True, tag="run"):
    """The first line, and one more for each time that the run was taken up again.

    ``servers`` says of each how it was started, which version it is, and what had to be set; ``sizes`` how
    many tokens were asked for.
    """

    environment: dict
    servers: dict[str, dict]
    sizes: dict
    seed: int

    def differs(self, other):
        """Why rows of another run can't stand beside this one's; None if they can."""
        for name in ("machine", "cores", "python"):
            if self.environment.get(name) != other.environment.get(name):
                return f"{name}: {other.environment.get(name)!r} then, {self.environment.get(name)!r} now"
        for name in self.servers.keys() & other.servers.keys():
            if self.servers[name] != other.servers[name]:
                return f"{name}: {other.servers[name]} then, {self.servers[name]} now"
        if (self.sizes, self.seed) != (other.sizes, other.seed):
            return "other sizes or another seed"
        return None


class Request(Struct, frozen=True):
    """One answer; seconds from the request on."""

    first_s: float
    total_s: float
    decode_tokens_per_s: float | None
    tokens: int
    chunks: int
    prompt_tokens: int | None
    finish: str | None


class Row(Struct, frozen=True, tag="row", kw_only=True):
    """What one server did in one round of a cell.

    ``rate`` in tokens/s is what is compared; None for memory, or where a request failed. ``worker`` is the
    memory of what holds the model, ``front`` of Isthmus's own process in front of it. ``idle_cpu_s`` is what
    the other servers, loaded but not asked, used of the CPU meanwhile.
    """

    model: str
    workload: str
    clients: int
    server: str
    round: int
    rate: float | None
    wall_s: float
    requests: tuple[Request, ...]
    failures: tuple[str, ...]
    worker: Memory
    front: Memory | None
    context_length: int | None
    idle_cpu_s: float
    at: str

    @property
    def key(self):
        """What was measured."""
        return self.model, self.workload, self.clients, self.server, self.round


class Rows:
    """A file of rows. A last line that a kill cut short is dropped, and measured again."""

    def __init__(self, path):
        self.path = Path(path)
        self.runs: list[Run] = []
        self.rows: list[Row] = []
        for each in whole_lines(self.path, Run | Row):
            (self.runs if isinstance(each, Run) else self.rows).append(each)

    @property
    def done(self):
        """The keys of what is measured already."""
        return {row.key for row in self.rows}

    def append(self, each):
        """Keep a `Run` or a `Row`, and be sure that it is on disk."""
        append_line(self.path, each)
        (self.runs if isinstance(each, Run) else self.rows).append(each)


def whole_lines(path, kind):
    """The values of a file of JSON lines, if there is one; a last line that a kill cut is dropped."""
    if not path.exists():
        return []
    found, kept = [], 0
    for line in path.read_bytes().splitlines(keepends=True):
        if not line.endswith(b"\n"):
            break
        found.append(msgspec.json.decode(line, type=kind))
        kept += len(line)
    if kept < path.stat().st_size:
        os.truncate(path, kept)
    return found


def append_line(path, each):
    """Add a value to a file of JSON lines, and be sure that it is on disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(msgspec.json.encode(each) + b"\n")
        file.flush()
        os.fsync(file.fileno())
