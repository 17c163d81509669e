"""A report in Markdown, for a README, a card, an issue."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from isthmus.evals.figures import Figures
from isthmus.evals.report import words
from isthmus.evals.summary import Report


def as_markdown(report: Report) -> str:
    """The figures, the comparisons and what they were measured with; examples are left to the page."""
    parts = [f"# {report.name}", ""]
    for suite in dict.fromkeys(each.suite for each in report.figures):
        some = [each for each in report.figures if each.suite == suite]
        parts += [f"## {suite}", "", *_figures(some), ""]
        parts += [f"- {each.label}: {'; '.join(said)}." for each in some if (said := words.remarks(each))]
        parts += _attempts(some)
        parts += _comparisons(report, suite)
        parts += [
            f"{each.label}: {each.handed_over} handed over, which helped with {each.helped} problems and "
            f"hurt with {each.hurt}.\n"
            for each in report.handoffs
            if each.suite == suite
        ]
    return "\n".join([*parts, *_environment(report)]).rstrip() + "\n"


def _figures(some: Sequence[Figures]) -> Iterable[str]:
    header = ("who", "right", "95% interval", "of", "failed", "handed over", "cost of 100", "seconds")
    rows = [
        (
            each.label,
            words.percent(each.accuracy.value),
            words.between(each.accuracy) if each.answered else "",
            f"{each.right}/{each.answered}",
            str(each.errors or ""),
            words.handed_over(each),
            words.cost(each),
            f"{each.seconds:.1f}",
        )
        for each in some
    ]
    return _table(header, rows)


def _attempts(some: Sequence[Figures]) -> list[str]:
    rows = [(each.label, *words.attempts(found)) for each in some for found in each.attempts]
    return ["", *_table(("who", "k", "pass@k", "pass^k"), rows), ""] if rows else []


def _comparisons(report: Report, suite: str) -> list[str]:
    header = ("compared", "both", "only first", "only second", "neither", "difference", "p", "")
    rows = [
        (
            f"{each.first} against {each.second}",
            *map(str, (each.both, each.only_first, each.only_second, each.neither)),
            words.points(each.difference),
            words.p_value(each),
            each.verdict,
        )
        for each in report.comparisons
        if each.suite == suite
    ]
    return ["", *_table(header, rows), ""] if rows else []


def _environment(report: Report) -> Iterable[str]:
    yield "## Measured with\n"
    yield f"- at: {report.at:%Y-%m-%d %H:%M} UTC"
    for name, value in report.environment.items():
        yield f"- {name}: {value}"
    for source in report.plan.sources:
        yield f"- {source.name}: {Path(source.path).name}{source.rows}, SHA-256 {source.sha256}"
    if report.overhead is not None:
        yield f"- no model at work: {report.overhead:.1%} of the time"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{' --- |' * len(header)}"
    for row in rows:
        cells = (cell.replace("|", r"\|").replace("\n", " ") for cell in row)
        yield f"| {' | '.join(cells)} |"
