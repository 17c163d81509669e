"""``isthmus recommend``: the models of the catalogue that this machine runs well."""

from typing import Annotated

import typer

from isthmus import configuration
from isthmus.cli import console
from isthmus.cli.extras import Extra
from isthmus.cli.options import Json
from isthmus.cli.outlook import COLUMNS, Line, Outlook, as_object, columns, describe, look
from isthmus.cli.running import run
from isthmus.errors import DoesNotFit
from isthmus.settings import Settings
from isthmus.store import find


def recommend(
    measure: Annotated[
        bool, typer.Option("--measure", help="Measure the line to the Hub, which takes a few seconds.")
    ] = False,
    suite: Annotated[
        str | None, typer.Option("--suite", help="Go by your own newest run of this suite (isthmus bench).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Recommend models that fit this machine.

    Looks at memory, GPUs and disk. Speeds follow from the memory's bandwidth, as measured by isthmus doctor
    or assumed; the order of the models from the catalogue.
    """
    settings = configuration.load().settings
    outlook = look(settings)
    if suite is not None:
        _by_own_run(settings, suite, outlook, as_json=as_json)
        return
    line = _line(settings) if measure else Line()
    found = outlook.recommended()
    if as_json:
        console.write_json(
            {
                "machine": outlook.machine,
                "bandwidth": outlook.bandwidth,
                "line": line,
                "models": [as_object(each, line) for each in found],
            }
        )
        return
    console.say(f"This machine: {describe(outlook.machine)}.")
    if not found:
        raise DoesNotFit(
            "no model of the catalogue fits this machine's free memory and disk", hint="isthmus search"
        )
    console.write_table(COLUMNS, [columns(each, line) for each in found])
    basis = "as the engine was measured" if outlook.bandwidth.measured else "assumed from the machine's parts"
    console.say(f"Speeds are {basis}; times to fetch are for {line}.")
    if outlook.idle_gpus:
        console.note(f"the engine makes no use of {outlook.idle_gpus}", "isthmus doctor --install")
    console.say(f"isthmus use {found[0].entry.name} fetches it and makes it the default.")


def _by_own_run(settings: Settings, suite: str, outlook: Outlook, *, as_json: bool) -> None:
    Extra.BENCHMARKS.require()
    from isthmus.cli.bench_advice import advice, tell  # whose figures need NumPy

    found = advice(settings.home_path, suite, outlook)
    if as_json:
        console.write_json(found)
    else:
        tell(found)
        console.write(found.take.subject.model)


def _line(settings: Settings) -> Line:
    from isthmus.cli.line_speed import measure  # only those who measure pay for its import

    starter = find(type(settings)().model)
    return (run(measure(starter, settings)) if starter else None) or Line()
