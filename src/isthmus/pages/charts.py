"""Charts as SVG in the reader's colours, from Vega-Lite's language. Needs the extra ``evals`` or ``gate``."""

from typing import Any, TypeAlias

from isthmus.errors import UsageError

Spec: TypeAlias = dict[str, Any]
"""A chart in Vega-Lite's language."""

INK = "#111111"
"""Whatever is of this colour is drawn in the page's own, light or dark."""

_WIDTH = 640


def chart(spec: Spec) -> str:
    """A chart as SVG whose ink is the page's; 640 pixels wide unless it says so.

    Raises:
        UsageError: What draws it isn't installed.
    """
    try:
        import vl_convert  # of an extra, and only for those who draw
    except ImportError as error:
        raise UsageError("charts need vl-convert", hint="pip install 'isthmus[evals]'") from error
    axis = {"labelColor": INK, "titleColor": INK, "gridColor": INK, "tickColor": INK, "domainColor": INK}
    config = {
        "background": None,
        "font": "system-ui, sans-serif",
        "view": {"stroke": None},
        "axis": {**axis, "gridOpacity": 0.15, "domainOpacity": 0.4, "labelFontSize": 12, "titleFontSize": 12},
        "legend": {"labelColor": INK, "titleColor": INK, "labelFontSize": 12, "columnPadding": 28},
    }
    drawn: str = vl_convert.vegalite_to_svg({"width": _WIDTH, **spec, "config": config})
    return drawn.replace(f'"{INK}"', '"currentColor"')
