"""A report as one page that needs nothing else: no script, no network, light and dark."""

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path

from isthmus.evals.cases import Case, Example, Handoff
from isthmus.evals.comparing import Comparison
from isthmus.evals.figures import Figures, Share
from isthmus.evals.report import words
from isthmus.evals.report.charts import frontier_chart
from isthmus.evals.summary import Report, efficient
from isthmus.pages import document, fields, table


def as_page(report: Report) -> str:
    """The page, whole."""
    style = files("isthmus.evals.report").joinpath("page.css").read_text("utf-8")
    suites = dict.fromkeys(each.suite for each in report.figures)
    body = [
        f"<h1>{escape(report.name)}</h1>",
        f"<p class=faint>{escape(_opening(report))}</p>",
        *(_suite(report, suite) for suite in suites),
        _environment(report),
    ]
    return document(f"{report.name}: a benchmark", body, style)


def _opening(report: Report) -> str:
    terms = report.plan.terms
    attempts = "one attempt" if terms.attempts == 1 else f"{terms.attempts} attempts"
    said = (
        f"{report.at:%d %B %Y}. {attempts.capitalize()} at each problem, temperature {terms.heat:g}, "
        f"seed {terms.seed}. Intervals are 95%."
    )
    if report.overhead is not None:
        said += f" No model was at work for {report.overhead:.1%} of the time."
    return said


# ---------------------------------------------------------------- a suite


def _suite(report: Report, suite: str) -> str:
    some = [each for each in report.figures if each.suite == suite]
    found = [each for each in report.comparisons if each.suite == suite]
    parts = [f"<h2>{escape(suite)}</h2>", _table(some), *(_remark(each) for each in some)]
    if any(each.cost_usd for each in some):
        parts += ["<h3>Accuracy against cost</h3>", f"<figure class=side>{frontier_chart(some)}</figure>"]
    if any(each.attempts for each in some):
        parts.append(_attempts(some))
    if found:
        parts.append(_comparisons(found))
    parts += [_handoff(each) for each in report.handoffs if each.suite == suite]
    parts.append(_examples([each for each in report.examples if each.suite == suite]))
    return "\n".join(parts)


def _table(some: Sequence[Figures]) -> str:
    header = (
        "Who",
        "Right",
        "95% interval",
        "",
        "Of",
        "Failed",
        "Handed over",
        "Cost of 100",
        "Tokens",
        "Seconds",
    )
    best = efficient(some)
    rows = [
        (
            "best" if each in best and len(some) > 1 else "",
            (
                _who(each),
                words.percent(each.accuracy.value),
                words.between(each.accuracy) if each.answered else "",
                _bar(each.accuracy) if each.answered else "",
                f"{each.right}/{each.answered}",
                str(each.errors or ""),
                words.handed_over(each),
                words.cost(each),
                f"{each.completion_tokens / max(1, each.answered):.0f}",
                f"{each.seconds:.1f}",
            ),
        )
        for each in some
    ]
    note = "Bold: nothing is more accurate at its cost or less. Tokens and seconds are those of one answer."
    return table(header, rows) + f"<p class=faint>{note}</p>"


def _who(figures: Figures) -> str:
    answered_by = f"<br><span class=faint>{escape(figures.answered_by)}</span>"
    return escape(figures.label) + (answered_by if figures.subject.handoff in ("auto", "always") else "")


def _bar(share: Share) -> str:
    low, value, high = (100 * each for each in (share.low, share.value, share.high))
    return (
        f'<span class=bar role=img aria-label="{words.between(share)}">'
        f'<i style="left:{low:.1f}%;right:{100 - high:.1f}%"></i><b style="left:{value:.1f}%"></b></span>'
    )


def _remark(figures: Figures) -> str:
    said = words.remarks(figures)
    return f"<p class=error>{escape(figures.label)}: {escape('; '.join(said))}.</p>" if said else ""


def _attempts(some: Sequence[Figures]) -> str:
    rows = [
        ("", (escape(each.label), *map(escape, words.attempts(found))))
        for each in some
        for found in each.attempts
    ]
    return "<h3>Several attempts</h3>" + table(
        ("Who", "k", "at least one right (pass@k)", "all right (pass^k)"), rows
    )


def _comparisons(found: Sequence[Comparison]) -> str:
    header = (
        "Compared, problem by problem",
        "Both",
        "Only first",
        "Only second",
        "Neither",
        "Difference",
        "p",
        "",
    )
    rows = [
        (
            "",
            (
                f"{escape(each.first)} <span class=faint>against</span> {escape(each.second)}",
                *map(str, (each.both, each.only_first, each.only_second, each.neither)),
                words.points(each.difference),
                words.p_value(each),
                f"<span class=words>{escape(each.verdict)}</span>",
            ),
        )
        for each in found
    ]
    note = "Differences: paired bootstrap over problems. p: McNemar's test, exact."
    return f"<h3>Comparisons</h3>{table(header, rows)}<p class=faint>{note}</p>"


# ---------------------------------------------------------------- examples


def _handoff(handoff: Handoff) -> str:
    said = (
        f"{handoff.handed_over} answers were handed over. It helped with {handoff.helped} problems that home "
        f"got wrong, and hurt with {handoff.hurt} that home got right."
    )
    parts = [f"<h3>What the hand-off did: {escape(handoff.label)}</h3><p>{escape(said)}</p>"]
    for title, cases in (("It helped", handoff.helpful), ("It hurt", handoff.harmful)):
        parts += [_case(title, each) for each in cases]
    return "\n".join(parts)


def _case(title: str, case: Case) -> str:
    sides = [
        _side("At home", "wrong" if title == "It helped" else "right", case.home, case.home_why),
        _side(case.model, "right" if title == "It helped" else "wrong", case.handed, case.handed_why),
    ]
    return _details(f"{title}: {case.problem}", case.question, case.gold, sides)


def _examples(some: Sequence[Example]) -> str:
    if not some:
        return ""
    parts = [
        _details(
            each.problem,
            each.question,
            each.gold,
            [_side(said.label, said.outcome, said.answer, said.why) for said in each.said],
        )
        for each in some
    ]
    return "<h3>Examples, side by side</h3>\n" + "\n".join(parts)


def _details(title: str, question: str, gold: str, sides: Iterable[str]) -> str:
    first = question.strip().split("\n", 1)[0][:120]
    return (
        f"<details><summary>{escape(title)} <span class=faint>{escape(first)}</span></summary>"
        f"<p class=text>{escape(question)}</p><p class=faint>Right: <code>{escape(gold)}</code></p>"
        f"<div class=sides>{''.join(sides)}</div></details>"
    )


def _side(label: str, outcome: str, answer: str, why: str) -> str:
    return (
        f"<figure class=side><figcaption>{escape(label)}: <span class={outcome}>{outcome}</span></figcaption>"
        f"<p class=text>{escape(answer) or '(nothing)'}</p><p class=faint>{escape(why)}</p></figure>"
    )


# ---------------------------------------------------------------- what it was measured with


def _environment(report: Report) -> str:
    rows = [(name, escape(value)) for name, value in report.environment.items()]
    for source in report.plan.sources:
        part = (
            "" if source.start == 0 and source.stop is None else f" rows {source.start}:{source.stop or ''}"
        )
        file = f"{Path(source.path).name}{part}"
        rows.append((source.name, f"{escape(file)}, SHA-256 <code>{source.sha256}</code>"))
    digests = {each.subject.model: each.digest for each in report.figures if each.digest}
    rows += [(model, f"weights SHA-256 <code>{escape(digest)}</code>") for model, digest in digests.items()]
    return f"<h2>Measured with</h2>{fields(rows)}"
