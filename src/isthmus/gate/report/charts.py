"""An area's chart: how often it happened, how surely, and where the limit is, untampered and attacked."""

from collections.abc import Iterable

from isthmus.gate.report.summary import AreaReport, SeriesReport
from isthmus.gate.report.words import series_name
from isthmus.pages import INK, Spec, chart

_COLOURS = {"pass": "#3d9a5d", "inconclusive": "#c98a1b", "fail": "#d0473f", "baseline": "#9a6dd0"}
"""Readable on light and on dark paper; shapes and words tell them apart too."""
_NAMES = {"pass": "passes", "inconclusive": "inconclusive", "fail": "fails", "baseline": "a public model"}
_SHAPES = {"pass": "circle", "inconclusive": "square", "fail": "triangle-up", "baseline": "diamond"}
_WIDTH, _ROW_HEIGHT, _LETTER_WIDTH = 760, 26, 7
_ROOM = 1.08
"""How much further the axis goes than what is drawn on it."""


def area_chart(area: AreaReport) -> str:
    """A row for the release in each series, public models below it: the rate, its interval, the limit."""
    rows: list[Spec] = [
        {**row, "row": f"{number}|{row['row']}"} for number, row in enumerate(_all_rows(area))
    ]
    furthest: float = max([area.limit, *(row["upper"] for row in rows)])
    top = min(1.0, _ROOM * furthest)
    x: Spec = {"type": "quantitative", "title": None, "scale": {"domain": [0, top]}}
    x["axis"] = {"format": ".1%" if top < 0.2 else ".0%", "tickCount": 6}
    name = "slice(datum.value, indexof(datum.value, '|') + 1)"  # what is before it only tells rows apart
    longest = max((len(row["row"]) for row in rows), default=0)
    axis: Spec = {
        "minExtent": _LETTER_WIDTH * longest,
        "grid": False,
        "ticks": False,
        "domain": False,
        "labelLimit": 260,
        "labelPadding": 10,
    }
    y: Spec = {"field": "row", "type": "nominal", "sort": None, "title": None}
    y["axis"] = {**axis, "labelExpr": name}
    colour, shape = _told_apart(rows, _COLOURS), _told_apart(rows, _SHAPES)
    bars = {
        "mark": {"type": "bar", "height": 9, "opacity": 0.35, "cornerRadius": 4},
        "encoding": {"x": {**x, "field": "lower"}, "x2": {"field": "upper"}, "y": y, "color": colour},
    }
    points = {
        "mark": {"type": "point", "filled": True, "size": 85, "opacity": 1},
        "encoding": {"x": {**x, "field": "rate"}, "y": y, "color": colour, "shape": shape},
    }
    limit = {
        "data": {"values": [{"limit": area.limit}]},
        "mark": {"type": "rule", "strokeDash": [5, 4], "strokeWidth": 1.5, "color": INK},
        "encoding": {"x": {**x, "field": "limit"}},
    }
    height = _ROW_HEIGHT * len(rows)
    return chart(
        {"data": {"values": rows}, "width": _WIDTH, "height": height, "layer": [bars, limit, points]}
    )


def _all_rows(area: AreaReport) -> Iterable[Spec]:
    return (row for each in area.series for row in _rows(each))


def _rows(series: SeriesReport) -> Iterable[Spec]:
    figure = series.figure
    if figure.n:
        yield _row(
            series_name(figure.series), figure.result, figure.violated / figure.n, figure.lower, figure.upper
        )
    for each in series.baselines:
        if each.n:
            yield _row(each.subject, "baseline", each.violated / each.n, each.lower, each.upper)


def _row(name: str, kind: str, rate: float, lower: float, upper: float) -> Spec:
    # What a judge flags may be false alarms: then even the found share is above the bound from below.
    return {"row": name, "kind": kind, "what": _NAMES[kind], "rate": rate, "lower": lower, "upper": upper}


def _told_apart(rows: Iterable[Spec], looks: dict[str, str]) -> Spec:
    kinds = [kind for kind in looks if kind in {row["kind"] for row in rows}]
    scale = {"domain": [_NAMES[kind] for kind in kinds], "range": [looks[kind] for kind in kinds]}
    return {
        "field": "what",
        "type": "nominal",
        "scale": scale,
        "legend": {"title": None, "orient": "top", "symbolType": "circle"} if len(kinds) > 1 else None,
    }
