"""A run's figures on the terminal."""

from isthmus.cli import console
from isthmus.evals.comparing import Comparison
from isthmus.evals.figures import Figures
from isthmus.evals.folders import RunFolder
from isthmus.evals.report import words
from isthmus.evals.summary import Report

_HEADER = ("SUITE", "WHO", "RIGHT", "95% INTERVAL", "OF", "ERRORS", "HANDED OVER", "COST OF 100", "SECONDS")


def show(report: Report, folder: RunFolder, *, as_json: bool) -> None:
    """Show a report: the table and what may be said of it; everything else is in its page."""
    if as_json:
        console.write_json(report)
        return
    console.write_table(_HEADER, [_row(each) for each in report.figures])
    for each in report.comparisons:
        console.write(compared(each))
    for each in report.figures:
        _remark(each)
    console.say(f"The report: {folder.path / 'report.html'}")


def compared(comparison: Comparison) -> str:
    """A comparison in a sentence."""
    p = words.p_value(comparison)
    return (
        f"{comparison.suite}: {comparison.first} against {comparison.second}: "
        f"{words.points(comparison.difference)}{f', p {p}' if p else ''}: {comparison.verdict}"
    )


def _row(figures: Figures) -> tuple[str, ...]:
    return (
        figures.suite,
        figures.label,
        words.percent(figures.accuracy.value),
        words.between(figures.accuracy) if figures.answered else "",
        f"{figures.right}/{figures.answered}",
        str(figures.errors or ""),
        words.handed_over(figures),
        words.cost(figures),
        f"{figures.seconds:.1f}",
    )


def _remark(figures: Figures) -> None:
    said, hint = words.remarks(figures), None
    if figures.errors or figures.missing:
        hint = "the same command goes on, and tries again what failed"
    elif figures.cut:
        hint = "--max-tokens N gives answers more room"
    if said:
        console.note(f"{figures.suite}, {figures.label}: {'; '.join(said)}", hint)
