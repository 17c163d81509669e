"""Keep what `isthmus bench` came to among the results.

    python -m benchmarks.runs RUN... [--gold FILE...]

Of each run's folder the report is kept in all its forms, and a line an answer: who gave it, what it was taken
to say, the verdict, what it took. Questions and gold answers are left out: they are other people's, and the
plan's hash says which they were. ``--gold`` is what `isthmus bench gold --json` printed.
"""

import argparse
import json
import shutil
from collections import defaultdict
from pathlib import Path

from benchmarks.results import RESULTS, environment, save, write
from isthmus.evals.folders import run_named

LEFT_OUT = {"question", "gold"}


def keep(folder, into):
    """Keep one run."""
    name = f"bench-{folder.name}"
    for ending in ("html", "md", "json"):
        shutil.copyfile(folder.path / f"report.{ending}", into / f"{name}.{ending}")
    lines = [json.loads(line) for line in (folder.path / "results.jsonl").read_text().splitlines()]
    kept = ({key: value for key, value in each.items() if key not in LEFT_OUT} for each in lines)
    write(into / f"{name}.jsonl", "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in kept))


def keep_gold(printed, into):
    """Keep what the suites' own solutions came to, counted; a suite of several files is counted together."""
    proven = defaultdict(list)
    for file in printed:
        for suite, each in json.loads(file.read_text()).items():
            proven[suite] += each
    counted = {
        suite: {
            "problems": len(each),
            "with_a_solution": sum(one["solution"] is not None for one in each),
            "solution_passes": sum(bool(one["solution"]) for one in each),
            "empty_fails": sum(not one["empty"] for one in each),
        }
        for suite, each in proven.items()
    }
    save("bench-gold", {"benchmark": "bench-gold", "environment": environment(), "suites": counted}, into)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.runs", description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="*", type=Path, metavar="RUN", help="a run's folder")
    parser.add_argument(
        "--gold", type=Path, nargs="+", default=[], help="what `isthmus bench gold --json` printed"
    )
    parser.add_argument("--into", type=Path, default=RESULTS, help="where results go")
    given = parser.parse_args()
    for run in given.runs:
        keep(run_named(run.parent, str(run)), given.into)
    if given.gold:
        keep_gold(given.gold, given.into)
