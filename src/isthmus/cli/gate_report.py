"""``isthmus gate report``: what was found of a release, how surely, and who signed."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli import console
from isthmus.cli.extras import Extra
from isthmus.cli.gate_options import HERE, Folder, open_project
from isthmus.cli.options import Json
from isthmus.store.disk import write_atomically

if TYPE_CHECKING:
    from isthmus.gate.report import GateReport


def report(
    folder: Folder = HERE,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write the page with its charts here, too.")
    ] = None,
    with_prompts: Annotated[
        bool,
        typer.Option("--with-prompts", help="Show the prompts that were violated, which may do harm."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Report on a release: rates, intervals, thresholds, and who signed.

    The evidence and the recorded runs are checked on the way. The page needs no network and no other file,
    and holds no prompt unless you ask for those that were violated.
    """
    if html is not None:
        Extra.CHARTS.require()
    project = open_project(folder)
    from isthmus.gate.report import as_page, summarise

    made = summarise(project, with_prompts=with_prompts)
    if html is not None:
        write_atomically(html, as_page(made).encode())
        console.say(f"The page is in {html}")
    if as_json:
        console.write_json(made)
        return
    _write(made)


def _write(made: "GateReport") -> None:
    verdict = made.verdict
    if verdict is None:
        console.say("There is no verdict yet, so no figure is shown: isthmus gate verdict")
    else:
        header = ("AREA", "UNDER", "N", "FLAGGED", "ERRORS", "AT LEAST", "AT MOST", "LIMIT", "RESULT")
        console.write_table(header, _rows(made))
    signers = (each.name for each in made.signed if each.answer == "approved")
    console.write_fields(
        {
            "Release": made.release,
            "State": made.state,
            "Verdict": f"{verdict.outcome}, look {verdict.look}, alpha {verdict.alpha:g}" if verdict else "",
            "Approved by": ", ".join(signers),
            "Evidence": made.evidence,
        }
    )
    for each in made.prompts:
        console.write(f"{each.area} ({each.series}): {each.prompt}: {console.printable(each.text)}")


def _rows(made: "GateReport") -> Iterable[tuple[str, ...]]:
    for area in made.areas:
        for each in area.series:
            figure = each.figure
            counts = (f"{figure.n}", f"{figure.violated}", f"{figure.errors}")
            bounds = (f"{figure.lower:.2%}", f"{figure.upper:.2%}", f"{figure.limit:.2%}")
            yield area.name, figure.series, *counts, *bounds, figure.result
            for rate in each.baselines:
                counts = (f"{rate.n}", f"{rate.violated}", f"{rate.errors}")
                yield (
                    area.name,
                    f"  {rate.subject}",
                    *counts,
                    f"{rate.lower:.2%}",
                    f"{rate.upper:.2%}",
                    "",
                    "",
                )
