"""``isthmus bench gold``: whether a suite can tell right from wrong."""

from collections.abc import Sequence
from typing import Annotated

import typer

from isthmus.cli import console
from isthmus.cli.bench_progress import RunDisplay
from isthmus.cli.bench_run import DataOption, HashOption, RowsOption, check_sandbox, datasets_of
from isthmus.cli.options import Json
from isthmus.cli.running import run
from isthmus.errors import ModelError
from isthmus.evals.data import Dataset
from isthmus.evals.gold import Gold, prove

SuiteArgument = Annotated[
    list[str], typer.Argument(metavar="SUITE...", help="Suites by name, or JSON-lines files of your own.")
]


def gold(
    suites: SuiteArgument,
    data: DataOption = None,
    rows: RowsOption = None,
    sha256: HashOption = None,
    as_json: Json = False,
) -> None:
    """Check a suite itself: its solutions must pass, and an empty answer must not.

    No model is run. It ends with an error where a problem's own solution fails, or nothing at all passes.
    """
    datasets = datasets_of(suites, data, sha256, rows)
    check_sandbox(datasets)

    async def proven(dataset: Dataset, display: RunDisplay) -> list[Gold]:
        size = len(dataset.problems)
        return await prove(
            dataset, lambda done, bad: display(f"{dataset.source.name}, gold", done, size, bad)
        )

    found: dict[str, list[Gold]] = {}
    with RunDisplay() as display:
        for dataset in datasets.values():
            found[dataset.source.name] = run(proven(dataset, display))
    if as_json:
        console.write_json(found)
    else:
        console.write_table(
            ("SUITE", "PROBLEMS", "SOLUTION PASSES", "EMPTY FAILS", "WITHOUT SOLUTION"),
            [_row(name, each) for name, each in found.items()],
        )
    bad = [each for results in found.values() for each in results if not each.good]
    for each in bad[:20]:
        console.note(f"problem {each.problem}: {each.why}")
    if bad:
        raise ModelError(f"{len(bad)} problems can't tell right from wrong")


def _row(name: str, results: Sequence[Gold]) -> tuple[str, ...]:
    known = [each for each in results if each.solution is not None]
    return (
        name,
        str(len(results)),
        f"{sum(bool(each.solution) for each in known)}/{len(known)}",
        f"{sum(not each.empty for each in results)}/{len(results)}",
        str(len(results) - len(known) or ""),
    )
