"""``isthmus gate run``: the sealed suites on the sealed weights."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus import configuration
from isthmus.cli import console
from isthmus.cli.bench_progress import RunDisplay
from isthmus.cli.extras import Extra
from isthmus.cli.gate_options import HERE, Folder, Key, Locked, open_key, open_project
from isthmus.cli.options import Json
from isthmus.cli.progress import ProgressDisplay
from isthmus.errors import UsageError

if TYPE_CHECKING:
    from isthmus.gate.project import Project
    from isthmus.trials.sitting import Done

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_UNTAMPERED = "untampered"

Areas = Annotated[list[str] | None, typer.Option("--area", help="Only this area; may be repeated.")]
Series = Annotated[
    list[str] | None,
    typer.Option("--series", help="Only untampered, or only under this attack; may be repeated."),
]
Subjects = Annotated[
    list[str] | None,
    typer.Option("--subject", help="Only the release, its control, or baseline:NAME; may be repeated."),
]
RunName = Annotated[
    str | None, typer.Option("--run", metavar="NAME", help="The sitting; by default the look's.")
]
Retry = Annotated[
    bool,
    typer.Option("--retry-errors", help="Ask those again that gave no answer, or that no judge decided."),
]


def run(
    folder: Folder = HERE,
    key: Key = None,
    passphrase: Locked = False,
    area: Areas = None,
    series: Series = None,
    subject: Subjects = None,
    name: RunName = None,
    retry_errors: Retry = False,
    as_json: Json = False,
) -> None:
    """Run the sealed suites on the sealed weights, and record what is found.

    All that the policy asks for: each area's control, the release untampered, then under each attack, and the
    public models beside it. The same command goes on where it was stopped, after a kill, too. Prompts and
    answers stay in the folder sittings; none is printed.
    """
    Extra.TRIALS.require()
    project, signer = open_project(folder), open_key(key, locked=passphrase)
    from isthmus.trials.parts import Wanted, parts_of
    from isthmus.trials.sitting import Sitting
    from isthmus.trials.talk import Talk

    wanted = Wanted(tuple(area or ()), tuple(map(_series, series or ())), tuple(subject or ()))
    policy = project.situation.present.policy
    parts = parts_of(policy, wanted)
    left_out = [name for name, each in policy.areas.items() if each.judge.elsewhere and not wanted.areas]
    if left_out:
        console.note(
            f"judged elsewhere: {', '.join(left_out)}", "isthmus gate record, or isthmus gate import"
        )
    if not parts:
        raise UsageError("there is nothing of that to run", hint="isthmus gate plan")
    try:
        with RunDisplay() as display, ProgressDisplay() as progress:

            def on_done(label: str, done: int, of: int, errors: int) -> None:
                progress.close()
                display(label, done, of, errors)

            talk = Talk(on_done, progress)
            sitting = Sitting(
                project, signer, _sitting(project, name), configuration.load(), talk, retry=retry_errors
            )
            sitting.check(parts)
            found = [sitting.run(part) for part in parts]
    except KeyboardInterrupt:
        console.note("stopped; what was found is kept", "the same command goes on")
        raise
    _show(found, as_json=as_json)
    _say_void(project)


def _say_void(project: "Project") -> None:
    """Tell of sittings that prove nothing yet: without a control, or with one that didn't fail."""
    from isthmus.gate.decision import voids
    from isthmus.gate.judging import facts_of

    for reason in voids(facts_of(project), project.situation.alpha):
        console.note(reason)


def _series(name: str) -> str:
    return "none" if name == _UNTAMPERED else name


def _sitting(project: "Project", name: str | None) -> str:
    """The sitting's name: each look has its own, so that the same command goes on with the same one."""
    name = name or f"look-{project.situation.look}"
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name of a sitting", hint="--run 2026-11-22")
    return name


def _show(done: Sequence["Done"], *, as_json: bool) -> None:
    rows = [
        {
            "area": each.part.area,
            "series": each.part.series,
            "subject": each.part.subject,
            "prompts": len(each.run.outcomes),
            **{name: each.run.count(name) for name in ("violated", "resisted", "error", "unparsed")},
            "recorded": each.recorded,
        }
        for each in done
    ]
    if as_json:
        console.write_json(rows)
    else:
        header = ("AREA", "ATTACK", "SUBJECT", "N", "VIOLATED", "RESISTED", "ERRORS", "UNPARSED", "RECORDED")
        table = [tuple(_cell(value) for value in row.values()) for row in rows]
        console.write_table(header, table)
    for each in done:
        if not each.recorded:
            console.note(
                f"{each.part.label}: more errors than the policy puts up with, so it isn't recorded",
                "--retry-errors asks those again; isthmus gate record takes it as it is: " + str(each.path),
            )


def _cell(value: object) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
