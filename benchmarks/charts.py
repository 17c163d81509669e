"""The charts, as SVG that is readable on light and on dark pages: colours change with the reader's scheme."""

import altair as alt
import vl_convert

from benchmarks.workloads import Cell

PAPER, INK, QUIET, LINES = "#ffffff", "#1f2328", "#59636e", "#d1d9e0"
DARK = {PAPER: "#0d1117", INK: "#f0f6fc", QUIET: "#9198a1", LINES: "#3d444d"}
SERIES = ["#3987c9", "#d2762a", "#3d9a5d", "#9a6dd0"]
"""Readable on both papers, and told apart by most eyes; shapes tell them apart too."""
SHAPES = ["circle", "square", "diamond", "triangle-up"]
ALARM = "#d1435b"


def svg(chart):
    """A chart as SVG with both schemes."""
    drawn = vl_convert.vegalite_to_svg(_styled(chart).to_json())
    rules = "".join(
        f'[fill="{light}"]{{fill:{dark}}}[stroke="{light}"]{{stroke:{dark}}}' for light, dark in DARK.items()
    )
    style = f"<style>@media (prefers-color-scheme: dark){{{rules}}}</style>"
    head, rest = drawn.split(">", 1)
    return f"{head}>{style}{rest}\n"


def in_the_dark(drawn):
    """The same with the dark colours for good, for tools that know no schemes."""
    for light, dark in DARK.items():
        drawn = drawn.replace(f'"{light}"', f'"{dark}"')
    return drawn


def speed_chart(found):
    """Isthmus's tokens/s over each peer's, by workload and model, with the intervals."""
    rows = [
        {
            "model": cell["model"],
            "cell": str(Cell(cell["workload"], cell["clients"])),
            "peer": peer,
            "ratio": ratio["median"],
            "low": (ratio["interval_95"] or [ratio["median"]] * 2)[0],
            "high": (ratio["interval_95"] or [ratio["median"]] * 2)[1],
        }
        for cell in found["cells"]
        for peer, ratio in cell["ratios"].items()
    ]
    order = list(dict.fromkeys(row["cell"] for row in rows))
    peers = list(dict.fromkeys(row["peer"] for row in rows))
    low, high = min(row["low"] for row in rows), max(row["high"] for row in rows)
    ticks = [each for each in (0.25, 0.5, 1, 1.5, 2, 3, 5, 10) if low / 1.2 < each < high * 1.2]
    legend = alt.Legend(title="Compared with")
    base = alt.Chart().encode(
        y=alt.Y(
            "cell:N", sort=order, title=None, axis=alt.Axis(bandPosition=0, tickBand="extent", grid=True)
        ),
        yOffset=alt.YOffset("peer:N", sort=peers),
        color=alt.Color("peer:N", scale=_scale(peers, SERIES), legend=legend),
    )
    scale = alt.Scale(type="log", domain=[min(0.9, low / 1.1), max(1.1, high * 1.1)])
    axis = alt.Axis(values=ticks, format="~g", labelExpr="datum.label + 'x'")
    ratio = alt.X("ratio:Q", scale=scale, axis=axis, title="Isthmus's tokens/s over the peer's")
    points = base.mark_point(filled=True, size=55, opacity=1).encode(
        x=ratio, shape=alt.Shape("peer:N", scale=_scale(peers, SHAPES), legend=legend)
    )
    intervals = base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", scale=scale), x2="high:Q")
    equal = alt.Chart().mark_rule(color=QUIET, strokeDash=[4, 3]).encode(x=alt.datum(1, scale=scale))
    return svg(
        alt.layer(equal, intervals, points, data=alt.Data(values=rows))
        .properties(width=230, height=alt.Step(13))
        .facet(column=alt.Column("model:N", sort=list(dict.fromkeys(r["model"] for r in rows)), title=None))
        .properties(
            title=alt.Title(
                "Speed against each peer at its documented defaults",
                subtitle="By workload and number of clients; right of 1x Isthmus is faster. "
                "Medians of rounds; bars are 95% intervals.",
            )
        )
    )


def several_chart(result, samples):
    """Which models were loaded when, and the memory of all of them against the budget."""
    models = result["models"]
    end = max(sample["s"] for sample in samples)
    across = alt.X("s:Q", title=None, scale=alt.Scale(domain=[0, end], nice=False))
    memory = alt.Chart(
        alt.Data(
            values=[
                {"s": sample["s"], "mb": sample[kind], "kind": kind.removesuffix("_mb").upper()}
                for sample in samples
                for kind in ("pss_mb", "rss_mb")
                if sample[kind] is not None
            ]
        )
    )
    highest = max(result["budget_mb"], result["peak"]["rss_mb"])
    lines = memory.mark_line(interpolate="step-after", strokeWidth=1.5).encode(
        x=across,
        y=alt.Y("mb:Q", title="MiB, all workers", scale=alt.Scale(domain=[0, 1.15 * highest], nice=False)),
        color=alt.Color("kind:N", title="Memory", scale=_scale(["PSS", "RSS"], [SERIES[0], SERIES[3]])),
    )
    once = alt.Chart(alt.Data(values=[{"budget": result["budget_mb"]}])).encode(y="budget:Q")
    budget = once.mark_rule(color=ALARM, strokeDash=[5, 3])
    label = once.mark_text(color=ALARM, align="left", x=4, dy=-8, text=f"budget, {result['budget_mb']} MiB")
    loaded = (
        alt.Chart(alt.Data(values=spans(samples, models)))
        .mark_bar(height=14)
        .encode(
            x=across.title("seconds"),
            x2="until:Q",
            y=alt.Y("model:N", sort=models, title=None),
            color=alt.Color("model:N", sort=models, legend=None, scale=alt.Scale(range=SERIES)),
        )
    )
    counts = result["counts"]
    return svg(
        alt.vconcat(
            alt.layer(lines, budget, label).properties(width=720, height=200),
            loaded.properties(width=720, height=alt.Step(24)),
            spacing=14,
        )
        .resolve_scale(color="independent")
        .properties(
            title=alt.Title(
                f"{len(models)} models in turn under a budget of {result['budget_mb']} MiB, "
                f"{result['clients']} clients",
                subtitle=f"{counts['answers']} answers, {counts['busy']} times told to come back later, "
                f"{counts['failures']} failures, {counts['loads']} loads. "
                "Above: memory of the workers; below: which models are loaded.",
            )
        )
    )


def spans(samples, models):
    """From when until when each model was loaded, out of samples of what is loaded."""
    found = []
    for model in models:
        since = None
        for sample in samples:
            if model in sample["loaded"] and since is None:
                since = sample["s"]
            elif model not in sample["loaded"] and since is not None:
                found.append({"model": model, "s": since, "until": sample["s"]})
                since = None
        if since is not None:
            found.append({"model": model, "s": since, "until": samples[-1]["s"]})
    return found


def _scale(names, values):
    return alt.Scale(domain=names, range=values[: len(names)])


def _styled(chart):
    text = {"labelColor": QUIET, "titleColor": INK, "labelFontSize": 11, "titleFontSize": 12}
    lines = {"gridColor": LINES, "domainColor": LINES, "tickColor": LINES}
    return (
        chart.configure(background=PAPER, font="Helvetica, Arial, sans-serif", padding=14)
        .configure_axis(**text, **lines, titleFontWeight="normal")
        .configure_legend(**text, orient="bottom")
        .configure_header(labelColor=INK, labelFontSize=13, labelFontWeight="bold")
        .configure_title(
            color=INK, subtitleColor=QUIET, fontSize=16, subtitleFontSize=12, anchor="start", offset=14
        )
        .configure_view(stroke=LINES)
    )
