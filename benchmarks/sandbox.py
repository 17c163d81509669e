"""What a sandbox costs: python -m benchmarks.sandbox [--times N].

On the clock, and in processor time of this process and its children, which a busy machine bends less.
Results go to benchmarks/results/sandbox.json.
"""

import argparse
import resource
import subprocess
import time

import anyio

from benchmarks.results import environment, save, summary
from isthmus.sandbox import Sandbox, run
from isthmus.sandbox.probe import probe
from isthmus.sandbox.system import python
from isthmus.scoring import score_asserts, score_files

ANSWER = "```python\ndef add(a, b):\n    return a + b\n```"
FILES = {
    "add.py": "def add(a, b): return a + b",
    "test_add.py": "from add import *\ndef test(): assert add(1, 2) == 3",
}


async def bare():
    """What the same script costs without a sandbox."""
    await anyio.to_thread.run_sync(
        lambda: subprocess.run([python(), "-c", "print(1)"], stdout=subprocess.DEVNULL, check=True)
    )


async def empty():
    async with Sandbox():
        pass


async def script():
    await run(["python", "-c", "print(1)"])


async def asserts():
    assert (await score_asserts(ANSWER, ["assert add(1, 2) == 3"])).right


async def pytest():
    assert (await score_files(FILES, ("python", "-m", "pytest", "-q"), packages=("pytest",))).right


def used():
    """Seconds of processor time of this process and of its children that have ended."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


async def measured(act, times):
    """Milliseconds of one act after another."""
    clock, processor = [], []
    for _ in range(times):
        began, before = time.perf_counter(), used()
        await act()
        clock.append(1000 * (time.perf_counter() - began))
        processor.append(1000 * (used() - before))
    return {
        "clock_ms": summary(clock),
        "least_clock_ms": round(min(clock), 1),
        "processor_ms": summary(processor),
    }


async def measure(times):
    await script()  # once, for what is looked up only once
    kinds = {
        "a script without a sandbox": bare,
        "a sandbox, started and ended": empty,
        "a script in a sandbox of its own": script,
        "an answer against its asserts": asserts,
        "a folder with pytest": pytest,
    }
    result = {name: await measured(act, times) for name, act in kinds.items()}
    async with Sandbox() as sandbox:
        there = await measured(lambda: sandbox.run(["true"]), times)
    del there["processor_ms"]  # what runs in there is counted when the sandbox ends
    return result | {"a command in a sandbox that is there": there}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=50)
    times = parser.parse_args().times
    found = probe()
    about = environment() | {"command": f"python -m benchmarks.sandbox --times {times}"}
    about |= {"bubblewrap": found.version, "control_groups": found.groups is not None}
    save("sandbox", {"environment": about, "measured": anyio.run(measure, times)})


if __name__ == "__main__":
    main()
