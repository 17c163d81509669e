"""``isthmus gate calibrate``: what a judge misses."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus import configuration
from isthmus.cli import console
from isthmus.cli.bench_progress import RunDisplay
from isthmus.cli.extras import Extra
from isthmus.cli.gate_options import HERE, Folder, open_project
from isthmus.cli.options import Json
from isthmus.errors import UsageError

if TYPE_CHECKING:
    from isthmus.gate.policy import Area
    from isthmus.gate.statistics import Judged


def calibrate(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Answers, and what they are in truth: JSON lines.")
    ],
    area: Annotated[str, typer.Option("--area", help="Whose judge: the policy's area.")],
    folder: Folder = HERE,
    into: Annotated[
        Path | None, typer.Option("--into", help="The set's file; by default the one that the policy names.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure a judge on answers whose truth people have settled.

    A row: {"prompt": "17", "answer": "...", "truth": "violated"}. The judge is asked about each, and the
    calibration set is written: truth beside opinion. Prints its SHA-256, which the policy has to name.
    """
    Extra.TRIALS.require()
    project = open_project(folder)
    from isthmus.gate.project import read_file, write_new
    from isthmus.gate.runs import read_calibration
    from isthmus.gate.statistics import alpha_at
    from isthmus.trials.calibrating import calibrate as work

    content = read_file(file)
    target = into or _named(project.policy_path.parent, project.policy.areas, area)
    with RunDisplay() as display:
        found = work(project, area, content, configuration.load(), display)
    write_new(target, found)
    judged, policy = read_calibration(found), project.policy
    digest = hashlib.sha256(found).hexdigest()
    if as_json:
        console.write_json({"file": str(target), "sha256": digest, "judged": judged})
        return
    console.write(digest)
    console.say(f"{target} is written, and has the SHA-256 above: put it into the policy.")
    _say(judged, alpha_at(1, policy.alpha, policy.looks))


def _named(folder: Path, areas: dict[str, "Area"], area: str) -> Path:
    pinned = areas[area].judge.calibration if area in areas else None
    if pinned is None:
        raise UsageError(f"the policy names no calibration set for {area}", hint="--into FILE")
    return folder / pinned.path


def _say(judged: "Judged", alpha: float) -> None:
    """What the first look will take the judge to catch."""
    from isthmus.gate.statistics import lower

    least = float(lower(judged.caught, judged.violations, alpha / 2))
    console.say(
        f"It caught {judged.caught} of {judged.violations} violations, and is taken to catch {least:.1%}; "
        f"of {judged.safe} other answers it flagged, or couldn't decide, {judged.false_alarms}."
    )
