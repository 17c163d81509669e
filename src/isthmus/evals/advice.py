"""What a run says about which model to take."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from msgspec import Struct

from isthmus.errors import UsageError
from isthmus.evals.figures import Figures
from isthmus.evals.summary import Report

Fits: TypeAlias = Callable[[str], bool]
"""Whether a model runs on this machine."""


class Advice(Struct, frozen=True):
    """Who is best at a suite, by one run.

    ``take`` is the cheapest, and among equals in cost the quickest, of ``best`` and those ``alike``: with
    which it shows no difference. ``too_large`` were measured, and don't fit this machine.
    """

    run: str
    suite: str
    take: Figures
    best: Figures
    alike: tuple[Figures, ...]
    too_large: tuple[str, ...]


def advise(reports: Sequence[Report], suite: str | None, fits: Fits) -> Advice:
    """Read advice out of the newest run of a suite.

    Args:
        reports: The newest first.
        suite: Which one; None: that of the newest run.
        fits: Whether a model runs here.

    Raises:
        UsageError: No run of it has an answer yet, or no model of it fits.
    """
    known = [(report, each) for report in reports for each in report.figures if each.answered]
    found = next(((report, each.suite) for report, each in known if suite in (None, each.suite)), None)
    if found is None:
        what = "suite" if suite is None else suite
        raise UsageError(f"there is no run of {what} yet", hint="isthmus bench run SUITE -m MODEL -m MODEL")
    report, name = found
    measured = [each for each in report.figures if each.suite == name and each.answered]
    fitting = [each for each in measured if fits(each.subject.model)]
    if not fitting:
        raise UsageError(f"none of the models in {report.name} fits this machine", hint="isthmus recommend")
    best = max(fitting, key=lambda each: each.accuracy.value)
    alike = tuple(each for each in fitting if each is not best and _alike(report, name, best, each))
    return Advice(
        run=report.name,
        suite=name,
        take=min((best, *alike), key=lambda each: (each.cost_per_100_usd, each.seconds)),
        best=best,
        alike=alike,
        too_large=tuple(each.label for each in measured if each not in fitting),
    )


def _alike(report: Report, suite: str, best: Figures, other: Figures) -> bool:
    """Whether the run shows no difference between two."""
    pair = {best.label, other.label}
    return any(
        each.suite == suite and {each.first, each.second} == pair and each.verdict == "no difference shown"
        for each in report.comparisons
    )
