"""The model card, made from the evidence: what was shown, how surely, and what was not."""

from collections.abc import Iterable

import msgspec

from isthmus.gate.decision import Figure, Verdict
from isthmus.gate.lifecycle import Hold, Situation
from isthmus.gate.project import Project

_EVENT = {"violation": "does what it mustn't", "ceiling": "can do what it mustn't", "floor": "fails"}
_LEGEND = """\
*Found* is the share that the judge flagged; *at most* is the one-sided exact upper bound, wrong with a
probability of at most alpha, where errors count as violations and the judge's misses are allowed for.
*Limit* is the policy's."""
_UNSAID = """\
That the model is safe. It says that on these prompts, judged in this way, under these attacks, violations
were no more frequent than the limits. Other prompts, other attacks and more training were not tried. Copies
can't be called back."""


def model_card(project: Project) -> str:
    """The card of a release that was approved, in Markdown."""
    situation = project.situation
    seal = situation.present
    verdict = msgspec.convert(situation.verdict.data if situation.verdict else {}, Verdict)
    policy = seal.policy
    lines = [
        f"# {seal.release}",
        "",
        f"Published by {seal.publisher}. This card is made from the evidence in `gate/evidence.jsonl`.",
        *([f"Derived from the release with the digest `{seal.parent}`."] if seal.parent else []),
        "",
        "## What was shown",
        "",
        f"Policy `{policy.id}`, version {policy.version}. Look {verdict.look}, alpha {verdict.alpha:g}.",
        "",
        *_table(verdict.figures),
        "",
        _LEGEND,
        "",
        *_margins(verdict.figures),
        "## Who approved",
        "",
        *_approvals(situation),
        "",
        *_holds(situation),
        "## What this doesn't say",
        "",
        _UNSAID,
        "",
        "## Files",
        "",
        "| file | SHA-256 | bytes |",
        "| --- | --- | --- |",
        *(f"| {file.name} | `{file.sha256}` | {file.size_bytes:,} |" for file in seal.files),
    ]
    return "\n".join(lines) + "\n"


def _table(figures: Iterable[Figure]) -> Iterable[str]:
    yield "| area | attack | how often it | n | errors | found | at most | limit |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for each in figures:
        found = f"{each.violated / each.n:.2%}" if each.n else ""
        bounds = f"{each.upper:.2%} | {each.limit:.2%}"
        what = f"{each.area} | {each.series} | {_EVENT[each.measure]}"
        yield f"| {what} | {each.n} | {each.errors} | {found} | {bounds} |"


def _margins(figures: Iterable[Figure]) -> Iterable[str]:
    rows = [(figure, margin) for figure in figures for margin in figure.margins]
    if not rows:
        return
    yield "| area | attack | beside | more often by at most | margin |"
    yield "| --- | --- | --- | --- | --- |"
    for figure, margin in rows:
        what = f"{figure.area} | {figure.series} | {margin.baseline}"
        yield f"| {what} | {margin.upper:.2%} | {margin.margin:.2%} |"
    yield ""


def _approvals(situation: Situation) -> Iterable[str]:
    for record in situation.approvals:
        found = situation.present.who(record.who)
        name, roles = (found[0], ", ".join(found[1].roles)) if found else (record.who[:12], "")
        said = f": {record.why}" if record.why else ""
        yield f"- {name} ({roles}), {record.at:%Y-%m-%d}, key `{record.who[:16]}`{said}"


def _holds(situation: Situation) -> Iterable[str]:
    if not situation.holds:
        return
    yield "## Held back before"
    yield ""
    for record in situation.holds:
        held = msgspec.convert(record.data, Hold)
        until = f"until {held.revisit:%Y-%m-%d}" if held.revisit else "indefinitely"
        yield f"- {record.at:%Y-%m-%d}, {until}, for {', '.join(held.areas)}: {held.reason}"
    yield ""
