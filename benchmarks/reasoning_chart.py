"""The chart of effort: right answers over the tokens that they take, for each model."""

import altair as alt

from benchmarks.charts import QUIET, SERIES, svg
from benchmarks.reasoning_policies import FIXED_CURVE

KINDS = {
    "one answer": ("greedy", "one sample", "low", "medium"),
    "fixed vote": (*FIXED_CURVE, "fixed"),
    "self-consistency": ("self-consistency",),
    "adaptive vote": ("adaptive",),
    "program": ("program-aided",),
    "OptiLLM": (),
}
COLOURS = [QUIET, SERIES[0], SERIES[0], SERIES[1], SERIES[2], SERIES[3]]
SHAPES = ["circle", "circle", "cross", "square", "diamond", "triangle-up"]
TICKS = [50, 100, 200, 400, 800, 1600, 3200]
NAMED = ("greedy", "low", "medium", "one sample", "adaptive", "program-aided")


def chart(results):
    """A panel for each set and model."""
    panels = [_panel(each) for each in results]
    return svg(
        alt.concat(*panels, columns=2, spacing=34)
        .resolve_scale(color="shared", shape="shared")
        .properties(
            title=alt.Title(
                "What effort buys: right answers over tokens written",
                subtitle="Replayed on one pool of samples; bars are 95% intervals over questions. "
                "The line is a fixed vote of 2 to 8 samples.",
            )
        )
    )


def points(result):
    """A point for each policy that is drawn."""
    found = []
    for name, each in result["policies"].items():
        kind = next((kind for kind, names in KINDS.items() if name in names), None)
        kind = "OptiLLM" if name.startswith("OptiLLM") else kind
        if kind is not None:
            low, high = each["accuracy_95"]
            label = name.removeprefix("OptiLLM ").replace("_", " ") if kind == "OptiLLM" else name
            found.append(
                {
                    "kind": kind,
                    "label": label if kind == "OptiLLM" or name in NAMED else "",
                    "tokens": each["tokens"],
                    "accuracy": each["accuracy"],
                    "low": low,
                    "high": high,
                }
            )
    return found


def _panel(result):
    found = points(result)
    questions = result["policies"]["adaptive"]["questions"]
    kinds = alt.Scale(domain=list(KINDS), range=COLOURS)
    shapes = alt.Scale(domain=list(KINDS), range=SHAPES)
    base = alt.Chart(alt.Data(values=found)).encode(
        x=alt.X(
            "tokens:Q",
            title="tokens a question",
            scale=alt.Scale(type="log", nice=False, padding=24),
            axis=alt.Axis(values=TICKS),
        ),
        color=alt.Color("kind:N", scale=kinds, title=None),
    )
    accuracy = alt.Y(
        "accuracy:Q", title="right answers", axis=alt.Axis(format="%"), scale=alt.Scale(zero=False)
    )
    curve = base.transform_filter("datum.kind == 'fixed vote'").mark_line(strokeWidth=2).encode(y=accuracy)
    bars = base.mark_rule(strokeWidth=1.5, opacity=0.45).encode(y=alt.Y("low:Q"), y2="high:Q")
    marks = base.mark_point(filled=True, size=70, opacity=1).encode(
        y=accuracy, shape=alt.Shape("kind:N", scale=shapes, title=None)
    )
    names = base.mark_text(align="left", dx=8, dy=-8, fontSize=11).encode(y=accuracy, text="label:N")
    title = f"{result['set'].upper()}, {result['model']}, {questions} of {result['planned']} questions"
    return alt.layer(curve, bars, marks, names).properties(width=400, height=280, title=title)
