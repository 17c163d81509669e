"""``isthmus bench report`` and ``compare``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from isthmus import configuration
from isthmus.cli import console
from isthmus.cli.bench_show import compared, show
from isthmus.cli.options import Json
from isthmus.errors import UsageError
from isthmus.evals.comparing import Comparison
from isthmus.evals.folders import RunFolder, run_named

RunArgument = Annotated[
    str | None,
    typer.Argument(metavar="[RUN]", help="A run's name, or how it begins, or its folder; the newest."),
]


def report(
    run: RunArgument = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write the page here, too.")] = None,
    markdown: Annotated[Path | None, typer.Option("--markdown", help="Write the Markdown here, too.")] = None,
    as_json: Json = False,
) -> None:
    """Report on a run: a page, JSON and Markdown, and a table here.

    A run that isn't whole is reported as far as it goes.
    """
    folder = _folder(run)
    from isthmus.evals.report import as_markdown, as_page
    from isthmus.evals.reporting import make_report

    made = make_report(folder)
    if html is not None:
        html.write_text(as_page(made), "utf-8")
    if markdown is not None:
        markdown.write_text(as_markdown(made), "utf-8")
    show(made, folder, as_json=as_json)


def compare(
    run: RunArgument = None,
    other: Annotated[
        str | None, typer.Argument(metavar="[OTHER]", help="Another run of the same problems.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare the models of one run, or of two, problem by problem.

    The difference comes with its 95% interval, and with McNemar's p where each was asked once.
    """
    first, second = _folder(run), _folder(other) if other is not None else None
    found = list(_within(first) if second is None else _between(first, second))
    if as_json:
        console.write_json(found)
        return
    if not found:
        raise UsageError("there are no two that answered the same problems", hint="isthmus bench list")
    for each in found:
        console.write(compared(each))


def _folder(name: str | None) -> RunFolder:
    return run_named(configuration.load().settings.home_path, name)


def _within(folder: RunFolder) -> Iterator[Comparison]:
    from isthmus.evals.comparing import comparisons
    from isthmus.evals.logs import gather
    from isthmus.evals.results import of_cell

    plan = folder.plan()
    results, cells = gather(folder, plan), list(plan.cells)
    yield from comparisons(cells, {cell.slug: of_cell(results, cell) for cell in cells})


def _between(first: RunFolder, second: RunFolder) -> Iterator[Comparison]:
    """Every subject of the one against every subject of the other, on files of the same content."""
    from isthmus.evals.comparing import compare as pair
    from isthmus.evals.logs import gather
    from isthmus.evals.results import of_cell

    ours, theirs = first.plan(), second.plan()
    found, others = gather(first, ours), gather(second, theirs)
    for one in ours.cells:
        for two in theirs.cells:
            if one.source.sha256 == two.source.sha256 and one.source.suite == two.source.suite:
                made = pair(
                    one.source.name,
                    (f"{one.subject.label} ({first.name})", of_cell(found, one)),
                    (f"{two.subject.label} ({second.name})", of_cell(others, two)),
                )
                if made is not None:
                    yield made
