"""``isthmus bench``: the table of its commands; each is a function of a module beside this one.

The summary repeats the first line of the command's docstring, so that ``isthmus bench --help`` imports none
of them (a test holds the two together).
"""

from typing import ClassVar

from isthmus.cli.extras import Extra
from isthmus.cli.groups import Entry, LazyGroup, new_group

COMMANDS = {
    "list": Entry("isthmus.cli.bench_list:list_benchmarks", "List the suites, and the runs that are here."),
    "run": Entry("isthmus.cli.bench_run:run_suites", "Run suites on models, and report what came of it."),
    "frontier": Entry(
        "isthmus.cli.bench_run:frontier",
        "Run home alone, hosted alone and both over one suite: accuracy against cost.",
    ),
    "report": Entry(
        "isthmus.cli.bench_report:report", "Report on a run: a page, JSON and Markdown, and a table here."
    ),
    "compare": Entry(
        "isthmus.cli.bench_report:compare", "Compare the models of one run, or of two, problem by problem."
    ),
    "gold": Entry(
        "isthmus.cli.bench_gold:gold",
        "Check a suite itself: its solutions must pass, and an empty answer must not.",
    ),
    "plan": Entry("isthmus.cli.bench_plan:plan", "Plan how many problems a claim needs."),
}


class Bench(LazyGroup):
    """The group of benchmarks."""

    entries: ClassVar = COMMANDS
    needs: ClassVar = Extra.BENCHMARKS


app = new_group(Bench)


@app.callback()
def bench() -> None:
    """Measure models on real tasks.

    Which is best for your work, at which effort, with which hand-off, and what it costs.
    """
