"""``isthmus gate import``: what another tool found."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec.structs import replace

from isthmus.cli import console
from isthmus.cli.gate_evidence import say_recorded
from isthmus.cli.gate_options import HERE, Folder, Key, Locked, header_for, open_key, open_project
from isthmus.errors import UsageError

if TYPE_CHECKING:
    from isthmus.gate.importing import Bad


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The other tool's results.")],
    tool: Annotated[str, typer.Option("--from", help="garak, promptfoo, lm-eval or inspect.")],
    area: Annotated[str, typer.Option("--area", help="The policy's area.")],
    folder: Folder = HERE,
    key: Key = None,
    passphrase: Locked = False,
    series: Annotated[str, typer.Option("--series", help="The attack, or none.")] = "none",
    subject: Annotated[
        str, typer.Option("--subject", help="release, control, or baseline:NAME.")
    ] = "release",
    run: Annotated[str | None, typer.Option("--run", help="The sitting, which has a control, too.")] = None,
    by: Annotated[
        str | None, typer.Option("--by", help="Its detector, metric or scorer, where there are several.")
    ] = None,
    bad: Annotated[
        str | None, typer.Option("--bad", help="high or low: which scores are the bad event.")
    ] = None,
    at_least: Annotated[float, typer.Option("--at-least", help="The least score that is high.")] = 0.5,
) -> None:
    """Record what another tool found: garak, promptfoo, lm-eval, Inspect.

    A prompt is known by its text, or by the suite's column of names. What the tool didn't decide is unparsed,
    never resisted, and a file that was cut off is refused. It is taken to be of the weights that are sealed.
    """
    project, signer = open_project(folder), open_key(key, locked=passphrase)
    from isthmus.gate import judging
    from isthmus.gate.importing import (
        TOOLS,
        bad_of,
        import_run,
        read_findings,
        require_judged_elsewhere,
    )
    from isthmus.gate.project import read_file
    from isthmus.gate.sealing import area_questions
    from isthmus.gate.suites import columns_of

    header = header_for(project, area, series, subject, run or file.stem)
    sealed = project.situation.present.policy.areas.get(area)
    if sealed is None:
        known = ", ".join(project.situation.present.policy.areas)
        raise UsageError(f"the sealed policy has no area {area}", hint=f"it has {known}")
    require_judged_elsewhere(area, sealed)
    found = read_findings(tool, file, columns_of(sealed.suite), by)
    settings = {"file": hashlib.sha256(read_file(file)).hexdigest(), "by": found.by}
    worse = _bad(bad) or bad_of(sealed.measure, TOOLS[tool].scores)
    if worse is None:
        raise UsageError(f"is a high score of {found.by} bad, or a low one?", hint="--bad high, or --bad low")
    header = replace(
        header, tool=found.tool, settings={**settings, "bad": worse, "at_least": f"{at_least:g}"}
    )
    imported = import_run(found, header, area_questions(project, area, sealed), worse, at_least)
    say_recorded(judging.record(project, signer, imported.content))
    if imported.strange:
        console.note(f"of its answers {imported.strange} were to no prompt of the sealed suite: passed over")


def _bad(text: str | None) -> "Bad | None":
    if text is None or text == "high" or text == "low":
        return text
    raise UsageError(f"scores are high or low, not {text!r}", hint="--bad high")
