"""The part of the page that is about risks and capabilities: what had to be shown, and what was."""

from collections.abc import Iterable, Sequence
from html import escape

from isthmus.gate.decision import Figure
from isthmus.gate.report.charts import area_chart
from isthmus.gate.report.summary import AreaReport, ControlReport, GateReport, JudgeReport, Rate, SeriesReport
from isthmus.gate.report.words import listing, percent, result, series_name, share, wrapped
from isthmus.gate.statistics import Judged
from isthmus.pages import fields, table

Row = tuple[str, Sequence[str]]

_EVENT = {
    "violation": "how often it does what it mustn't",
    "ceiling": "how often it can do what nobody should be able to",
    "floor": "how often it fails at what it should be able to",
}
_LEGEND = (
    "Dots are the shares that were flagged. Bars go from the lower to the upper bound: each is one-sided and "
    "exact, wrong with a probability of at most alpha. In the upper one errors count as violations, in the "
    "lower one as none, and what the judge misses is allowed for. The dashed line is the limit: an area "
    "passes where the whole bar lies within it, untampered and under each attack."
)


def areas(report: GateReport) -> Iterable[str]:
    """All areas at a glance, then each."""
    if report.verdict is None:
        yield "<p>There is no verdict yet, so no figure is shown.</p>"
        return
    yield _overview(report)
    yield listing("Why it didn't pass", report.verdict.reasons)
    yield f"<p class=faint>{escape(_LEGEND)}</p>"
    yield from (_area(each) for each in report.areas)


def _overview(report: GateReport) -> str:
    header = ("Area", "Result", "Worst", "Found", "At most", "Limit", "Errors", "Reviewed as")
    return table(header, (("", _glance(area)) for area in report.areas if area.series))


def _glance(area: AreaReport) -> Sequence[str]:
    worst = max((each.figure for each in area.series), key=lambda each: each.upper)
    return (
        f'<a href="#{escape(area.name)}">{escape(area.name)}</a>',
        result(area.result),
        escape(series_name(worst.series)),
        share(worst.violated, worst.n),
        percent(worst.upper),
        percent(area.limit),
        str(sum(each.figure.errors for each in area.series) or ""),
        escape(", ".join(area.roles)),
    )


def _area(area: AreaReport) -> str:
    parts = (
        f'<h2 id="{escape(area.name)}">{escape(area.name)}: {result(area.result)}</h2>',
        f"<p class=faint>{escape(_asked(area))}</p>",
        f"<figure class=side>{area_chart(area)}</figure>",
        _figures(area),
        f"<p>{_judge(area.judge)}</p>",
        _controls(area.controls, area.limit),
        _settings(area.series),
    )
    return "\n".join(filter(None, parts))


def _asked(area: AreaReport) -> str:
    prompts = f", on at least {area.minimum:,} prompts" if area.minimum > 1 else ""
    errors = f"with errors on at most {area.error_budget:.1%} of the prompts"
    return f"{_EVENT[area.measure].capitalize()}: at most {percent(area.limit)}{prompts}, {errors}."


# ---------------------------------------------------------------- figures


def _figures(area: AreaReport) -> str:
    header = ("", "n", "Flagged", "Errors", "Found", "At least", "At most", "Ability lost", wrapped("Result"))
    doubts = (
        f"{series_name(each.figure.series)}: {reason}"
        for each in area.series
        for reason in each.figure.reasons
    )
    return table(header, _rows(area.series)) + listing("Why it didn't pass", doubts)


def _rows(some: Sequence[SeriesReport]) -> Iterable[Row]:
    untampered = some[0].figure
    for each in some:
        yield "", _release(each.figure, untampered)
        margins = {margin.baseline: margin for margin in each.figure.margins}
        for rate in each.baselines:
            margin = margins.get(rate.subject)
            words = f"{percent(margin.upper)} above it at most, of {percent(margin.margin)}" if margin else ""
            yield "", _beside(rate, words)


def _release(figure: Figure, untampered: Figure) -> Sequence[str]:
    loss = "" if figure.capability_loss is None else f"{figure.capability_loss:.1%}"
    missing = f" <span class=faint>({figure.missing:,} missing)</span>" if figure.missing else ""
    return (
        escape(series_name(figure.series)),
        f"{figure.n:,}",
        f"{figure.violated:,}",
        f"{figure.errors or ''}{missing}",
        f"{share(figure.violated, figure.n)}{_rise(figure, untampered)}",
        percent(figure.lower),
        percent(figure.upper),
        loss,
        f"<span class=words>{result(figure.result)}</span>",
    )


def _rise(figure: Figure, untampered: Figure) -> str:
    """What an attack added to the rate, in percentage points."""
    if figure is untampered or not (figure.n and untampered.n):
        return ""
    points = 100 * (figure.violated / figure.n - untampered.violated / untampered.n)
    return f" <span class=faint>({points:+.1f})</span>"


def _beside(rate: Rate, words: str) -> Sequence[str]:
    return (
        f"<span class=faint>beside {escape(rate.subject)}</span>",
        f"{rate.n:,}",
        f"{rate.violated:,}",
        str(rate.errors or ""),
        share(rate.violated, rate.n),
        percent(rate.lower),
        percent(rate.upper),
        "",
        wrapped(words),
    )


# ---------------------------------------------------------------- judges, controls, settings


def _judge(judge: JudgeReport) -> str:
    found, caught, alarms = judge.calibration, judge.sensitivity_at_least, judge.false_alarms_at_most
    if found is None or caught is None or alarms is None:
        return f"Judged by {escape(judge.name)}: what it says is a fact, and no opinion."
    return f"Judged by {escape(judge.name)} ({escape(judge.kind)}). {_calibrated(found, caught, alarms)}"


def _calibrated(found: Judged, caught: float, alarms: float) -> str:
    return (
        f"Of {found.violations:,} violations that people settled it caught {found.caught:,}, so it is taken "
        f"to catch {percent(caught)}. Of {found.safe:,} answers that are none it flagged "
        f"{found.false_alarms:,}, so it may flag up to {percent(alarms)} of those."
    )


def _controls(controls: Sequence[ControlReport], limit: float) -> str:
    rows = [f"<li>{_control(each, limit)}</li>" for each in controls]
    return f"<p>The control, a model that is known to be bad:</p><ul>{''.join(rows)}</ul>" if rows else ""


def _control(control: ControlReport, limit: float) -> str:
    rate, run = control.rate, escape(control.run)
    found = (
        f"{run}: {rate.violated:,} of {rate.n:,} flagged, so at least {percent(rate.lower)}, and the limit "
        f"is {percent(limit)}: "
    )
    if control.failed:
        return f"{found}<b class=passed>it fails, as it must</b>"
    return f"{found}<b class=failed>it doesn't fail, so the run is void</b>"


def _settings(some: Sequence[SeriesReport]) -> str:
    rows = [
        (
            series_name(each.figure.series),
            escape("; ".join(f"{name}: {value}" for name, value in each.settings.items())),
        )
        for each in some
    ]
    return f"<h3>How it was asked</h3>{fields(rows)}" if any(said for _, said in rows) else ""
