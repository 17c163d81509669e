"""A release's report as one page."""

from collections.abc import Iterable
from html import escape

from isthmus.gate.report.areas import areas
from isthmus.gate.report.summary import GateReport
from isthmus.gate.report.words import listing, moment, result, wrapped
from isthmus.pages import document, fields, table

_STYLE = """\
.inconclusive { color: light-dark(#8a5a00, #e3b04b); }
ul { padding-left: 1.2rem; margin: .25rem 0; }
"""


def as_page(report: GateReport) -> str:
    """The page, whole: no script, no network, and no prompt unless the report has any.

    Raises:
        UsageError: What draws charts isn't installed.
    """
    body = (
        f"<h1>{escape(report.release)}</h1>",
        f"<p class=faint>{escape(_opening(report))}</p>",
        _standing(report),
        *areas(report),
        _signed(report),
        _holds(report),
        _meaning(report),
        _digests(report),
        _evidence(report),
        _prompts(report),
    )
    return document(f"{report.release}: a report of its gate", filter(None, body), _STYLE)


def _opening(report: GateReport) -> str:
    said = "Published" if report.signature else "To be published"
    parent = f" Derived from the release with the digest {report.parent}." if report.parent else ""
    return f"{said} by {report.publisher}.{parent} Reported on {moment(report.at)}."


def _standing(report: GateReport) -> str:
    verdict = report.verdict
    further = "and the only one" if report.looks == "one" else "and each further one has less"
    approved = sum(each.answer == "approved" for each in report.signed)
    more = f", {report.missing_approvals} more needed" if report.missing_approvals else ""
    return fields(
        (
            ("State", escape(report.state)),
            ("Verdict", f"<b>{result(verdict.outcome)}</b>" if verdict else "none yet"),
            ("Policy", f"{escape(report.policy.id)}, version {report.policy.version}"),
            ("Look", f"{verdict.look}, at alpha {verdict.alpha:g}, {further}" if verdict else ""),
            ("Approvals", f"{approved}{more}"),
            ("Not before", moment(report.not_before)),
        )
    )


def _signed(report: GateReport) -> str:
    if not report.signed:
        return "<h2>Who signed</h2><p>Nobody yet.</p>"
    rows = (
        (
            escape(each.name),
            escape(", ".join(each.roles)),
            f"<span class={'passed' if each.answer == 'approved' else 'failed'}>{each.answer}</span>",
            moment(each.at),
            f"<code>{each.key[:16]}</code>",
            wrapped(each.said),
        )
        for each in report.signed
    )
    header = ("Who", "Roles", "Answer", "When", "Key", wrapped("Said"))
    return "<h2>Who signed</h2>" + table(header, (("", row) for row in rows))


def _holds(report: GateReport) -> str:
    if not report.holds:
        return ""
    rows = (
        (
            moment(each.since),
            f"{each.revisit:%Y-%m-%d}" if each.revisit else "indefinitely",
            moment(each.lifted, "not yet"),
            escape(", ".join(each.areas)),
            escape(each.owner),
            wrapped(each.reason),
        )
        for each in report.holds
    )
    header = ("Held back since", "Until", "Lifted", "For", "Owner", wrapped("Why"))
    return "<h2>Held back</h2>" + table(header, (("", row) for row in rows))


def _meaning(report: GateReport) -> str:
    sides = listing("Proven, once it is published", report.proven) + listing("Not proven", report.unproven)
    return f"<h2>What this proves, and what it doesn't</h2><div class=sides>{sides}</div>"


def _digests(report: GateReport) -> str:
    named = (
        ("Weights", report.weights),
        ("Policy", report.policy.sha256),
        ("Evidence", report.evidence),
        ("Signature", report.signature),
        *((f"Suite of {area.name}", area.suite) for area in report.areas),
    )
    listed = fields((name, f"<code>{digest}</code>" if digest else "") for name, digest in named)
    rows = (
        (escape(each.name), f"{each.size_bytes:,}", f"<code>{each.sha256}</code>") for each in report.files
    )
    return f"<h2>Digests</h2>{listed}" + table(("File", "Bytes", "SHA-256"), (("", row) for row in rows))


def _evidence(report: GateReport) -> str:
    rows = (
        (
            f"{each.number}",
            moment(each.at),
            escape(each.kind),
            escape(each.who),
            f"<code>{each.hash[:16]}</code>",
            wrapped(each.why),
        )
        for each in report.events
    )
    listed = table(("Record", "When", "What", "By", "Hash", wrapped("Why")), (("", row) for row in rows))
    summary = f"{len(report.events)} records, each signed, each with the hash of the one before it"
    return f"<h2>Evidence</h2><details><summary>{summary}</summary>{listed}</details>"


def _prompts(report: GateReport) -> str:
    if not report.prompts:
        return ""
    return "<h2>Prompts that were violated</h2>" + "".join(_violated(report))


def _violated(report: GateReport) -> Iterable[str]:
    for each in report.prompts:
        title = escape(f"{each.area}, {each.series}: {each.prompt}")
        yield f"<details><summary>{title}</summary><p class=text>{escape(each.text)}</p></details>"
