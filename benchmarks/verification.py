"""What verification costs: reading a release, and starting an engine on one that was pulled.

To reach: `isthmus verify` reads weights at no less than 0.8 of sha256sum's speed; an engine starts on a gated
release whose proof is cached in no more than 1.1 times what it takes on one that nobody checks. Both are
taken in turns, and in seconds of the processor's time, user and system, the worker's with it, so that
whatever else a machine does counts for neither; the clock's stand beside them. `sha256sum` may be built
without the processor's instructions for SHA-256; OpenSSL uses them, and so stands beside it.

    python -m benchmarks.verification reading --rounds 9
    python -m benchmarks.verification starting --rounds 25
"""

import argparse
import random
import resource
import statistics
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import anyio

from benchmarks.__main__ import STARTER, TINY, have
from benchmarks.released import release
from benchmarks.results import environment, interval, save, summary, verdict
from isthmus.engines.builds import INSTALLED
from isthmus.engines.llama import LlamaEngine
from isthmus.settings import EngineSettings, PublisherSettings, Settings
from isthmus.signing import read_public_key
from isthmus.store import Store, open_weights, parse_headers
from isthmus.trust import VerifiedModel, verify
from isthmus.trust.folder import check_folder
from isthmus.trust.publishers import Trust
from isthmus.trust.pulling import take_in

ENGINE = EngineSettings(context_length=512, parallel=1)


# ---------------------------------------------------------------- reading


def own_s(work):
    """Seconds of this process's own time, user and system, that some work takes."""
    began = time.process_time()
    work()
    return time.process_time() - began


def cpu_s():
    """Seconds of the processor's time that this process has taken, with its children that have ended."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in spent)


def child_s(*words):
    """Seconds of the processor's time that a command takes, and starting it."""
    before = cpu_s()
    subprocess.run(words, stdout=subprocess.DEVNULL, check=True)
    return cpu_s() - before


def reading(folder, key, rounds):
    """Seconds that each takes for a release's weights, in turns; the files are in memory."""
    weights = next(folder.glob("*.gguf"))
    keys, now = [read_public_key(key)], datetime.now(UTC)
    contestants = {
        "isthmus": lambda: own_s(lambda: check_folder(folder, keys, now)),
        "sha256sum": lambda: child_s("sha256sum", str(weights)),
        "openssl": lambda: child_s("openssl", "dgst", "-sha256", str(weights)),
    }
    found = in_turns(contestants, rounds)
    size = weights.stat().st_size
    return {
        "bytes": size,
        "mb_per_cpu_s": {
            name: summary([size / 1e6 / each for each in times]) for name, times in found.items()
        },
        "ratio_to_sha256sum": ratio(found["sha256sum"], found["isthmus"]),
        "ratio_to_openssl": ratio(found["openssl"], found["isthmus"]),
    }


# ---------------------------------------------------------------- starting


def unverified(path):
    """Weights as an engine would load them if nobody looked at more than their header."""
    file = open_weights(path)
    header = parse_headers([file], [path])
    file.seek(0)
    return VerifiedModel([file], name=path.name, paths=[path], digest=None, header=header)


def start(opened):
    """Seconds from nothing to a worker that has loaded: on the clock, and of the processor."""

    async def work():
        began = time.perf_counter()
        engine = LlamaEngine(opened(), ENGINE, build=INSTALLED)
        try:
            await engine.open()
            return time.perf_counter() - began
        finally:
            await engine.close()

    before = cpu_s()
    wall = anyio.run(work)
    return wall, cpu_s() - before


def starting(folder, key, home, rounds):
    """What an engine takes to start on a gated release, and on the same weights unchecked, in turns."""
    publisher = PublisherSettings(keys=(str(key),), models=("*",))
    trust = Trust(Settings(home=str(home), publishers={"benchmark": publisher}))
    model, origin = take_in(folder, Store(home), trust)
    assert origin.proof is not None
    assert origin.proof.level == "gated"
    contestants = {
        "gated": lambda: start(lambda: verify(model, trust=trust)),
        "unverified": lambda: start(lambda: unverified(model.path)),
    }
    found = in_turns(contestants, rounds)
    clock = {name: [wall for wall, _ in each] for name, each in found.items()}
    cpu = {name: [spent for _, spent in each] for name, each in found.items()}
    checks = [own_s(lambda: verify(model, trust=trust).close()) for _ in range(rounds)]
    return {
        "start_cpu_s": {name: summary(each) for name, each in cpu.items()},
        "start_s": {name: summary(each) for name, each in clock.items()},
        "check_cpu_s": summary(checks),
        "ratio": ratio(cpu["gated"], cpu["unverified"]),
        "ratio_by_the_clock": ratio(clock["gated"], clock["unverified"]),
    }


# ---------------------------------------------------------------- both


def in_turns(contestants, rounds):
    """What each gives, round by round, each round in a random order; one round before is thrown away."""
    chooser, found = random.Random(0), {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name in chooser.sample(list(contestants), len(contestants)):
            value = contestants[name]()
            if number:
                found[name].append(value)
    return found


def ratio(ours, theirs):
    """The median of the rounds' ratios, with its interval."""
    rounds = [one / other for one, other in zip(ours, theirs, strict=True)]
    return {"median": round(statistics.median(rounds), 3), "interval": interval(rounds)}


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.verification", description=__doc__)
    parser.add_argument("part", choices=("reading", "starting"))
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if given.part == "reading":
            found = reading(*release(folder, have(STARTER).path, "starter"), given.rounds)
            value = found["ratio_to_sha256sum"]["median"]
            met = {"speed >= 0.8 of sha256sum": value >= 0.8}
        else:
            found = starting(*release(folder, have(TINY).path, "tiny"), folder / "home", given.rounds)
            value = found["ratio"]["median"]
            met = {"start <= 1.1 of unverified": value <= 1.1}
    print(f"{next(iter(met))}: {value} ({verdict(all(met.values()))})")
    name = f"verification-{given.part}"
    save(name, {"benchmark": name, "environment": environment(), **found, "met": met})


if __name__ == "__main__":
    main()
