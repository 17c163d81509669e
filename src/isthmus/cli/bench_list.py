"""``isthmus bench list``: what can be run, and what was."""

from typing import Any

from isthmus import configuration
from isthmus.cli import console
from isthmus.cli.options import Json
from isthmus.errors import UsageError
from isthmus.evals.folders import RunFolder, runs
from isthmus.evals.suites import Published, Suite, suites

_SHOWN_RUNS = 20


def list_benchmarks(as_json: Json = False) -> None:
    """List the suites, and the runs that are here."""
    known, folders = suites().values(), runs(configuration.load().settings.home_path)
    if as_json:
        console.write_json(
            {"suites": [_as_object(each) for each in known], "runs": [_told(each) for each in folders]}
        )
        return
    console.write_table(("SUITE", "WHAT", "DATA"), [(each.name, each.summary, _data(each)) for each in known])
    if folders:
        console.write()
        rows = [_told(each) for each in folders[:_SHOWN_RUNS]]
        console.write_table(("RUN", "SUITES", "MODELS"), [tuple(map(str, each.values())) for each in rows])


def _data(suite: Suite) -> str:
    if suite.bundled is not None:
        return "comes with it"
    return ", ".join(map(_published, suite.published)) or "a file of yours"


def _published(file: Published) -> str:
    return file.name if file.sha256 else f"{file.name} (of no known hash)"


def _as_object(suite: Suite) -> dict[str, Any]:
    return {
        "name": suite.name,
        "summary": suite.summary,
        "runs_code": suite.runs_code,
        "bundled": suite.bundled is not None,
        "published": suite.published,
    }


def _told(folder: RunFolder) -> dict[str, str]:
    try:
        plan = folder.plan()
    except UsageError as error:
        return {"run": folder.name, "suites": error.message, "models": ""}
    return {
        "run": folder.name,
        "suites": ", ".join(f"{each.name}{each.rows}" for each in plan.sources),
        "models": ", ".join(each.label for each in plan.subjects),
    }
