"""Whether the gate's arithmetic keeps its word: `python -m benchmarks.gate_statistics`.

Releases are simulated whose true rates are known, 10,000 a setting, and judged by `isthmus.gate.statistics`:

1. wrongly passed: one area lies at its threshold, the others are clean; or all lie there. Whatever the number
   of areas, a release must pass with a probability of at most alpha.
2. retries: the same, asked again and again, by fresh prompts or by ever more of them, until it passes.
3. wrongly failed: all areas lie at their thresholds; Holm's procedure must call any of them over it with a
   probability of at most alpha.
4. the judge: its sensitivity and specificity are measured on a calibration set drawn anew each time; the
   bound must lie below the truth with a probability of at most alpha, however much the judge misses.
5. the margin over a baseline on the same prompts: likewise.
6. power: how often a release of a given true rate passes.

Needs no model and no data; a minute of one core.
"""

import argparse

import altair as alt
import numpy as np

from benchmarks.charts import ALARM, QUIET, SERIES, svg
from benchmarks.results import RESULTS, environment, save, verdict, write
from isthmus.gate.statistics import (
    Judged,
    alpha_at,
    clean_n,
    difference_upper,
    holm,
    judged_upper,
    most_events,
    pass_probability,
    upper,
)

ALPHA = 0.05
RELEASES = 10_000
SEED = 20260601


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--releases", type=int, default=RELEASES, help="simulated releases a setting")
    releases = parser.parse_args().releases
    chance = np.random.default_rng(SEED)
    result = {
        "environment": environment() | {"command": "python -m benchmarks.gate_statistics"},
        "alpha": ALPHA,
        "releases": releases,
        "wrongly_passed": [*areas(chance, releases), *retries(chance, releases)],
        "wrongly_failed": [*failed(chance, releases)],
        "judge": [*judges(chance, releases)],
        "margin": [*margins(chance, releases)],
        "planner": planner(),
        "power": power(),
    }
    for kind in ("wrongly_passed", "wrongly_failed", "judge", "margin"):
        for row in result[kind]:
            shown = ", ".join(f"{name} {value}" for name, value in row.items() if name != "share")
            print(f"{kind}: {shown}: {row['share']:.4f} ({verdict(row['share'] <= limit(releases))})")
    save("gate-statistics", result)
    write(RESULTS / "gate-statistics.svg", chart(result))


def limit(releases):
    """What a share of alpha exceeds by chance once in a thousand such simulations."""
    return ALPHA + 3.1 * (ALPHA * (1 - ALPHA) / releases) ** 0.5


# ---------------------------------------------------------------- what must not happen


def areas(chance, releases):
    """1. Releases of several areas, at one look with all of alpha."""
    for count in (1, 3, 10, 30):
        for over in ("one", "all")[: 1 if count == 1 else 2]:
            for threshold, n in ((0.05, 200), (0.02, 400), (0.01, 1000)):
                rates = np.full(count, threshold if over == "all" else 0.0)
                rates[0] = threshold
                events = chance.binomial(n, rates, (releases, count))
                passed = (upper(events, n, ALPHA) <= threshold).all(axis=1)
                row = {"areas": count, "over": over, "threshold": threshold, "n": n, "looks": 1}
                yield {**row, "share": passed.mean()}


def retries(chance, releases):
    """2. An area at its threshold, others clean, asked again until all pass, alpha spent over the looks."""
    threshold, n = 0.02, 400
    for count in (1, 10):
        rates = np.zeros(count)
        rates[0] = threshold
        for looks in (2, 5, 20):
            spent = [alpha_at(look, ALPHA, "spending") for look in range(1, looks + 1)]
            events = chance.binomial(n, rates, (releases, looks, count))
            unspent = (upper(events, n, ALPHA) <= threshold).all(axis=2).any(axis=1).mean()
            fresh, more = np.full(looks, n), n * np.arange(1, looks + 1)
            for how, seen, sizes in (
                ("fresh prompts", events, fresh),
                ("more prompts", events.cumsum(axis=1), more),
            ):
                passed = np.zeros(releases, bool)
                for look in range(looks):
                    passed |= (upper(seen[:, look], sizes[look], spent[look]) <= threshold).all(axis=1)
                row = {"areas": count, "over": how, "threshold": threshold, "n": n, "looks": looks}
                yield {**row, "without_spending": round(unspent, 4), "share": passed.mean()}


def failed(chance, releases):
    """3. Claims that an area is over its threshold, none of which is true."""
    threshold, n = 0.02, 400
    p_of = p_values(n, threshold)
    for count in (1, 3, 10, 30):
        events = chance.binomial(n, threshold, (releases, count))
        wrong = [any(holm(list(row), ALPHA)) for row in p_of[events]]
        yield {"areas": count, "threshold": threshold, "n": n, "share": float(np.mean(wrong))}


def p_values(n, threshold):
    """The exact p-value of each count: what `p_value` finds by halving, from the distribution itself."""
    from scipy.stats import binom

    return binom.sf(np.arange(n + 1) - 1, n, threshold)


def judges(chance, releases):
    """4. The bound of a rate that an imperfect judge sees."""
    n = 400
    for rate in (0.02, 0.1):
        for sensitivity, specificity in ((0.98, 0.98), (0.9, 0.99), (0.7, 1.0), (0.5, 0.95)):
            for size in (100, 400):
                flagged = chance.binomial(n, rate * sensitivity + (1 - rate) * (1 - specificity), releases)
                caught = chance.binomial(size, sensitivity, releases)
                alarms = chance.binomial(size, 1 - specificity, releases)
                below = [
                    float(judged_upper(k, n, ALPHA, Judged(size, int(c), size, int(a)))) < rate
                    for k, c, a in zip(flagged, caught, alarms, strict=True)
                ]
                yield {
                    "rate": rate,
                    "n": n,
                    "sensitivity": sensitivity,
                    "specificity": specificity,
                    "calibration": size,
                    "share": float(np.mean(below)),
                }


def margins(chance, releases):
    """5. The bound of a difference to a baseline on the same prompts."""
    n = 400
    for ours, theirs, both in ((0.05, 0.05, 0.02), (0.10, 0.04, 0.03), (0.02, 0.0, 0.0)):
        shares = [both, ours - both, theirs - both, 1 - ours - theirs + both]
        counts = chance.multinomial(n, shares, releases)
        below = difference_upper(counts[:, 1], counts[:, 2], n, ALPHA) < ours - theirs
        yield {"ours": ours, "theirs": theirs, "n": n, "share": below.mean()}


# ---------------------------------------------------------------- what should


def planner():
    """How many clean prompts each threshold needs."""
    first = alpha_at(1, ALPHA, "spending")
    return [
        {"threshold": each, "one_look": clean_n(each, ALPHA), "first_of_several": clean_n(each, first)}
        for each in (0.05, 0.02, 0.01, 0.001)
    ]


def power():
    """6. How often a release passes, by its true rate: no simulation, the distribution is known."""
    judge = Judged(200, 190, 200, 2)
    rows = []
    for threshold in (0.05, 0.02):
        for n in (200, 400, 1000):
            for name, by in (("a fact", None), ("a judge that caught 190 of 200", judge)):
                rates = np.linspace(0, threshold * 1.2, 61)
                chances = pass_probability(n, threshold, ALPHA, rates, by)
                rows.append(
                    {
                        "threshold": threshold,
                        "n": n,
                        "judge": name,
                        "may_be_violated": most_events(n, threshold, ALPHA, by),
                        "rates": [round(float(each), 5) for each in rates],
                        "passes": [round(float(each), 4) for each in chances],
                    }
                )
    return rows


# ---------------------------------------------------------------- the chart


def chart(result):
    """Left: what is wrongly passed, beside alpha. Right: the power curves at one threshold."""
    return svg(
        alt.hconcat(_wrong(result), _power(result["power"]))
        .resolve_scale(color="independent")
        .properties(
            title=alt.Title(
                "What the gate passes",
                subtitle=f"{result['releases']:,} simulated releases a setting. Left: with an area at its "
                "threshold, by areas and looks. Right: by the true rate.",
            )
        )
    )


def _wrong(result):
    rows = [
        {
            "what": _what(row),
            "share": row["share"],
        }
        for row in result["wrongly_passed"]
        if row["threshold"] == 0.02
    ]
    order = [row["what"] for row in rows]
    percent = alt.Axis(format="%")
    points = (
        alt.Chart(alt.Data(values=rows))
        .mark_point(filled=True, size=60, color=SERIES[0], opacity=1)
        .encode(
            y=alt.Y("what:N", sort=order, title=None, axis=alt.Axis(labelLimit=260)),
            x=alt.X("share:Q", title="wrongly passed", axis=percent, scale=alt.Scale(domain=[0, 0.06])),
        )
    )
    rule = alt.Chart().mark_rule(color=ALARM, strokeDash=[4, 3]).encode(x=alt.datum(result["alpha"]))
    return alt.layer(points, rule, data=alt.Data(values=rows)).properties(width=260, height=alt.Step(22))


def _what(row):
    areas = "1 area" if row["areas"] == 1 else f"{row['areas']} areas"
    if row["looks"] > 1:
        return f"{areas}, {row['looks']} looks, {row['over']}"
    return f"{areas}, {row['over']} at the threshold"


def _power(rows):
    points = [
        {"n": f"{row['n']} prompts", "judge": row["judge"], "rate": rate, "passes": passes}
        for row in rows
        if row["threshold"] == 0.05
        for rate, passes in zip(row["rates"], row["passes"], strict=True)
    ]
    percent = alt.Axis(format="%")
    sizes = ["200 prompts", "400 prompts", "1000 prompts"]
    lines = (
        alt.Chart(alt.Data(values=points))
        .mark_line()
        .encode(
            x=alt.X("rate:Q", title="true rate", axis=percent),
            y=alt.Y("passes:Q", title="passes", axis=percent),
            color=alt.Color("n:N", title=None, sort=sizes, scale=alt.Scale(domain=sizes, range=SERIES[:3])),
            strokeDash=alt.StrokeDash("judge:N", title="the outcome is", legend=alt.Legend(labelLimit=260)),
        )
    )
    rule = alt.Chart().mark_rule(color=QUIET, strokeDash=[4, 3]).encode(x=alt.datum(0.05))
    return alt.layer(lines, rule).properties(width=320, height=260, title="threshold 5%")


if __name__ == "__main__":
    main()
