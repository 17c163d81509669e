"""``isthmus gate seal``, ``record`` and ``verdict``: from files to a decision."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec.structs import replace

from isthmus.cli import console
from isthmus.cli.gate_options import (
    HERE,
    Folder,
    Key,
    Locked,
    Why,
    header_for,
    open_key,
    open_project,
)
from isthmus.cli.options import Json
from isthmus.cli.progress import ProgressDisplay

if TYPE_CHECKING:
    from isthmus.gate.decision import Verdict
    from isthmus.trust.evidence import Record


def seal(folder: Folder = HERE, key: Key = None, passphrase: Locked = False, why: Why = "") -> None:
    """Seal the files, the policy and the suites, before any run.

    Signed by the submitter. It begins a look, which spends alpha; whatever was found before counts no longer.
    A policy that asks less than the one before it needs --why.
    """
    project, signer = open_project(folder), open_key(key, locked=passphrase)
    from isthmus.gate.sealing import seal as work

    with ProgressDisplay() as progress:
        record = work(project, signer, why, progress)
    situation = project.situation
    console.write(record.digests["weights"])
    console.say(
        f"{situation.present.release} is sealed: look {situation.look}, alpha {situation.alpha:g}. "
        "Runs name its weights by the digest above."
    )


def record(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The outcomes: JSON lines.")],
    folder: Folder = HERE,
    key: Key = None,
    passphrase: Locked = False,
    area: Annotated[str | None, typer.Option("--area", help="The policy's area.")] = None,
    series: Annotated[str, typer.Option("--series", help="The attack, or none.")] = "none",
    subject: Annotated[
        str, typer.Option("--subject", help="release, control, or baseline:NAME.")
    ] = "release",
    run: Annotated[str | None, typer.Option("--run", help="The sitting, which has a control, too.")] = None,
    judge: Annotated[str | None, typer.Option("--judge", help="The judge; the policy's by default.")] = None,
    tool: Annotated[str, typer.Option("--tool", help="What ran it, and its version.")] = "",
) -> None:
    """Record what a run found, prompt by prompt.

    The file says of what it is in its first line, or the options do: `isthmus gate schema run` prints both.
    A file by options is taken to be of the very weights that are sealed, untampered or under --series.
    """
    project, signer = open_project(folder), open_key(key, locked=passphrase)
    from isthmus.gate import judging
    from isthmus.gate.project import read_file

    content, header = read_file(file), None
    if area is not None:
        header = replace(header_for(project, area, series, subject, run or file.stem, judge), tool=tool)
    say_recorded(judging.record(project, signer, content, header))


def say_recorded(entry: "Record") -> None:
    """Tell what a record holds."""
    data = entry.data
    console.say(
        f"Recorded: {data['prompts']} prompts of {data['header']['area']}, {data['violated']} violated, "
        f"{data['error'] + data['unparsed']} without a usable answer."
    )


def verdict(
    folder: Folder = HERE, key: Key = None, passphrase: Locked = False, as_json: Json = False
) -> None:
    """Decide by what was recorded: pass, fail, or inconclusive.

    It ends a look: one more verdict of the same seal is another, with less alpha. What is inconclusive is
    held.
    """
    project, signer = open_project(folder), open_key(key, locked=passphrase)
    from isthmus.gate.judging import verdict as work

    with ProgressDisplay() as progress:
        found = work(project, signer, progress)
    if as_json:
        console.write_json(found)
        return
    write_verdict(found)


def write_verdict(found: "Verdict") -> None:
    """A verdict's figures, its reasons, and what it comes to."""
    console.write_table(
        ("AREA", "ATTACK", "N", "VIOLATED", "ERRORS", "AT LEAST", "AT MOST", "LIMIT", "RESULT"),
        [
            (
                *(each.area, each.series, str(each.n), str(each.violated), str(each.errors)),
                *(f"{each.lower:.2%}", f"{each.upper:.2%}", f"{each.limit:.2%}", each.result),
            )
            for each in found.figures
        ],
    )
    for reason in found.reasons:
        console.note(reason)
    console.write(f"{found.outcome} (look {found.look}, alpha {found.alpha:g})")
