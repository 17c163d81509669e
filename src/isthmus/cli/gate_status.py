"""``isthmus gate status``: where a release is, how it came there, and what comes next."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from isthmus.cli import console
from isthmus.cli.amounts import moment
from isthmus.cli.gate_options import HERE, Folder, open_project
from isthmus.cli.options import Json

if TYPE_CHECKING:
    from isthmus.gate.project import Project

_NEXT: Mapping[str, str] = {
    "draft": "isthmus gate plan, then isthmus gate seal",
    "sealed": "isthmus gate run",
    "evaluating": "isthmus gate run, and once all runs are there: isthmus gate verdict",
    "pass": "isthmus gate review",
    "fail": "mend it, then isthmus gate seal: that is another look",
    "inconclusive": "isthmus gate hold",
    "review": "isthmus gate approve, or isthmus gate refuse",
    "held": "isthmus gate resume, by somebody other than the submitter",
    "approved": "isthmus gate schedule --at TIME",
    "scheduled": "isthmus gate publish TARGET",
    "published": "isthmus gate advise or withdraw, should there be reason to",
    "advised": "isthmus gate withdraw, should there be reason to",
    "withdrawn": "nothing: copies that are out stay out",
}


def status(folder: Folder = HERE, as_json: Json = False) -> None:
    """Show where a release is, and what comes next.

    The evidence is checked on the way: its chain, its signatures, and that each step was allowed.
    """
    project = open_project(folder)
    situation = project.situation
    if as_json:
        console.write_json({"state": situation.state, "records": project.evidence.records})
        return
    for record in project.evidence.records:
        who, why = project.name_of(record.who), f"  {record.why}" if record.why else ""
        console.write(f"{moment(record.at)}  {record.kind:<10}{who:<12}{_about(record.data)}{why}")
    console.write_fields(_fields(project))


def _fields(project: "Project") -> dict[str, str]:
    situation = project.situation
    hold, verdict = situation.hold, situation.verdict.data if situation.verdict else {}
    look = f"{situation.look}, alpha {situation.alpha:g}" if situation.seal else ""
    if verdict:
        look = f"{verdict['look']}, alpha {verdict['alpha']:g}: {verdict['outcome']}"
    return {
        "Release": f"{project.release.name}@{project.release.version}",
        "State": situation.state,
        "Weights": situation.sealed.digests["weights"] if situation.sealed else "",
        "Look": look,
        "Held for": ", ".join(hold.areas) if hold else "",
        "Owner": hold.owner if hold else "",
        "Until": (f"{hold.revisit:%Y-%m-%d}" if hold.revisit else "indefinitely") if hold else "",
        "Not before": f"{situation.not_before:%Y-%m-%d %H:%M %Z}" if situation.not_before else "",
        "Evidence": project.evidence.root() if project.evidence.links else "",
        "Next": _NEXT[situation.state],
    }


def _about(data: dict[str, object]) -> str:
    """What a record is about, in a few words."""
    header = data.get("header")
    if isinstance(header, dict):
        what = f"{header['area']}/{header['series']}, {header['subject']}"
        return f"{what}: {data['violated']} of {data['prompts']}"
    return str(data.get("outcome", ""))
