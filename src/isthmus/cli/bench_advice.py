"""What one's own runs say about which model to take, for ``isthmus recommend``."""

from pathlib import Path

from isthmus.cli import console
from isthmus.cli.outlook import Outlook
from isthmus.errors import UsageError
from isthmus.evals.advice import Advice, advise
from isthmus.evals.folders import RunFolder, runs
from isthmus.evals.report import words
from isthmus.evals.summary import Report
from isthmus.store import find


def advice(home: Path, suite: str | None, outlook: Outlook) -> Advice:
    """The advice of the newest run of a suite.

    Raises:
        UsageError: There is no such run, or no model of it fits this machine.
    """
    reports = [each for folder in runs(home) if (each := _report(folder))]
    return advise(reports, suite, lambda model: _fits(model, outlook))


def tell(found: Advice) -> None:
    """Tell it in a few lines."""
    take, best = found.take, found.best
    console.say(f"By your own run of {found.suite} ({found.run}):")
    console.say(
        f"  {take.label}: {words.with_interval(take.accuracy)} right, {words.cost(take)} for 100 answers"
    )
    if take is not best:
        console.say(
            f"  {best.label} has {words.with_interval(best.accuracy)}: no difference shown, and it costs more"
        )
    if found.too_large:
        console.say(f"  measured, and too large for this machine: {', '.join(found.too_large)}")


def _report(folder: RunFolder) -> Report | None:
    """Its report; None where a run has none yet, or it is of another version."""
    try:
        return folder.report()
    except UsageError:
        return None


def _fits(model: str, outlook: Outlook) -> bool:
    """Whether it would load here; what the catalogue doesn't know was run here, so it does."""
    entry = find(model)
    return entry is None or outlook.of(entry) is not None
