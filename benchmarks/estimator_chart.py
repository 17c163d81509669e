"""The estimator's chart: accuracy over the share of calls, beside random and oracle."""

import altair as alt

from benchmarks.charts import QUIET, SERIES, svg

WAYS = ["random", "by the question", "by the local answer", "and by three samples", "oracle"]


def chart(sets):
    """One panel a set; each way to choose is a line from no calls to all."""
    return svg(
        alt.hconcat(*(_panel(name, lines) for name, lines in sets.items())).properties(
            title=alt.Title(
                "Who should answer: accuracy over the share of questions handed over",
                subtitle="10-fold, pooled. Random: by lot. Oracle: by who turned out right.",
            )
        )
    )


def _panel(name, lines):
    points = [
        {"way": way, "share": share, "accuracy": accuracy}
        for way, line in lines.items()
        for share, accuracy in line
    ]
    colours = alt.Scale(domain=WAYS, range=[QUIET, SERIES[1], SERIES[0], SERIES[3], SERIES[2]])
    percent = alt.Axis(format="%")
    return (
        alt.Chart(alt.Data(values=points))
        .mark_line(point=True)
        .encode(
            x=alt.X("share:Q", title="handed over", axis=percent),
            y=alt.Y("accuracy:Q", title="right answers", axis=percent, scale=alt.Scale(zero=False)),
            color=alt.Color("way:N", title=None, scale=colours, sort=WAYS),
            order="share:Q",
        )
        .properties(width=330, height=260, title=name)
    )
