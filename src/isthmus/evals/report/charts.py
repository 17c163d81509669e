"""A report's chart as SVG, in the reader's colours. Needs the extra ``evals``."""

from collections.abc import Sequence

from isthmus.evals.figures import Figures
from isthmus.evals.summary import efficient
from isthmus.pages import INK, Spec, chart

_COLOURS = {"off": "#3987c9", "auto": "#3d9a5d", "always": "#d2762a", "shadow": "#9a6dd0"}
"""Readable on light and on dark paper; shapes tell them apart too."""
_SHAPES = {"off": "circle", "auto": "diamond", "always": "square", "shadow": "triangle-up"}
_NAMES = {"off": "home alone", "auto": "with hand-off", "always": "hosted alone", "shadow": "shadow"}
_HEIGHT = 340


def frontier_chart(some: Sequence[Figures]) -> str:
    """Accuracy against cost, with the line of those that nothing beats at their cost."""
    rows = [_row(each) for each in some if each.answered]
    best = {each.label for each in efficient(some)}
    x: Spec = {"field": "cost", "type": "quantitative", "title": "dollars for 100 answers"}
    x |= {"scale": {"domainMin": 0, "nice": True}, "axis": {"tickCount": 6, "labelFlush": False}}
    y: Spec = {"type": "quantitative", "title": "right (95% interval)", "axis": {"format": ".0%"}}
    y["scale"] = {"zero": False, "nice": True}
    line = {
        "data": {"values": [each for each in rows if each["who"] in best]},
        "mark": {"type": "line", "strokeDash": [4, 4], "opacity": 0.6, "color": INK},
        "encoding": {
            "x": x,
            "y": {**y, "field": "right"},
            "order": {"field": "cost", "type": "quantitative"},
        },
    }
    bars = {
        "mark": {"type": "rule", "strokeWidth": 2},
        "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}, "color": _colour(rows)},
    }
    dots = {
        "mark": {"type": "point", "filled": True, "size": 130, "opacity": 1},
        "encoding": {"x": x, "y": {**y, "field": "right"}, "color": _colour(rows), "shape": _shape(rows)},
    }
    names = [_name(each, rows, x, {**y, "field": "right"}) for each in rows]
    return chart({"data": {"values": rows}, "height": _HEIGHT, "layer": [line, bars, dots, *names]})


def _name(row: Spec, rows: Sequence[Spec], x: Spec, y: Spec) -> Spec:
    """A point's name beside it: towards the middle, and above or below in turn, as neighbours lie close."""
    far = row["cost"] > max(each["cost"] for each in rows) / 2
    below = sorted(rows, key=lambda each: each["cost"]).index(row) % 2
    side = {"align": "right", "dx": -9} if far else {"align": "left", "dx": 9}
    mark = {"type": "text", "dy": 14 if below else -12, "fontSize": 12, "color": INK, **side}
    text = {"value": row["who"]}
    return {"data": {"values": [row]}, "mark": mark, "encoding": {"x": x, "y": y, "text": text}}


def _row(figures: Figures) -> Spec:
    return {
        "who": figures.label,
        "kind": _NAMES.get(figures.subject.handoff, figures.subject.handoff),
        "mode": figures.subject.handoff,
        "right": figures.accuracy.value,
        "low": figures.accuracy.low,
        "high": figures.accuracy.high,
        "cost": figures.cost_per_100_usd,
    }


def _colour(rows: Sequence[Spec]) -> Spec:
    return _told_apart(rows, _COLOURS)


def _shape(rows: Sequence[Spec]) -> Spec:
    return _told_apart(rows, _SHAPES)


def _told_apart(rows: Sequence[Spec], looks: dict[str, str]) -> Spec:
    modes = list(dict.fromkeys(each["mode"] for each in rows))
    scale = {"domain": [_NAMES.get(mode, mode) for mode in modes], "range": [looks[mode] for mode in modes]}
    legend = {"title": None, "orient": "top"} if len(modes) > 1 else None
    return {"field": "kind", "type": "nominal", "scale": scale, "legend": legend}
