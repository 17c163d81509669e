"""``isthmus store``: is everything that lies there whole, what is of no use any longer, where is it."""

from pathlib import Path
from typing import Annotated

import typer
from msgspec import Struct

from isthmus import configuration
from isthmus.cli import console
from isthmus.cli.amounts import size
from isthmus.cli.groups import new_group
from isthmus.cli.options import Json
from isthmus.cli.progress import ProgressDisplay
from isthmus.errors import ModelError, UsageError
from isthmus.naming import ModelRef, parse_model
from isthmus.store import Store, upkeep

app = new_group()

_KINDS = {
    "weights": "weights without a name",
    "partial": "cut short",
    "manifest": "never finished",
}

Name = Annotated[str | None, typer.Argument(metavar="NAME", help="A model's name; all without one.")]


class Places(Struct, frozen=True):
    """Where things lie."""

    home: Path
    blobs: Path
    manifests: Path
    partial: Path


@app.callback()
def store() -> None:
    """Check, clean and find the weights on this machine."""


@app.command()
def check(name: Name = None, as_json: Json = False) -> None:
    """Hash all weights once more, and find what is damaged.

    Takes as long as reading every byte does. It may be interrupted and repeated, and the store may be used
    meanwhile. Ends with exit code 4 where something is damaged.
    """
    place, refs = _store_and_refs(name)
    with ProgressDisplay() as progress:
        report = upkeep.check(place, refs, on_progress=progress)
    if as_json:
        console.write_json(report)
    else:
        _write_report(report)
    if report.damage:
        first, count = report.damage[0], len(report.damage)
        what = "1 model is damaged" if count == 1 else f"{count} models are damaged"
        raise ModelError(what, hint=first.hint)


@app.command()
def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    as_json: Json = False,
) -> None:
    """Remove weights that no name needs, and what is left of fetches that were cut short.

    What another process is fetching at this moment stays.
    """
    place = Store(configuration.load().settings.home_path)
    done = upkeep.collect(place, dry_run=dry_run)
    if as_json:
        console.write_json(done)
    else:
        _write_leftovers(done.removed)
        verb = "would be freed" if dry_run else "freed"
        console.say(f"{size(done.freed_bytes)} {verb}." if done.removed else "There is nothing to remove.")
    if done.kept:
        console.note(f"weights without a name are kept, for {done.kept.text}", done.kept.hint)


@app.command()
def path(name: Name = None, as_json: Json = False) -> None:
    """Print where the store lies, or a model's file; a split model's files one a line."""
    place, refs = _store_and_refs(name)
    if refs:
        paths = place.require(refs[0]).paths
        if as_json:
            console.write_json(paths)
        else:
            for each in paths:
                console.write(str(each))
    elif as_json:
        console.write_json(Places(place.home, place.blobs, place.manifests.folder, place.partial))
    else:
        console.write(str(place.home))


def _store_and_refs(name: str | None) -> tuple[Store, list[ModelRef]]:
    """The store, and the model of it that was named, if one was."""
    settings = configuration.load().settings
    refs = [parse_model(name, settings.runners)] if name else []
    if refs and refs[0].kind != "name":
        raise UsageError(f"{refs[0]} isn't one of the models that Isthmus keeps", hint="isthmus list")
    return Store(settings.home_path), refs


def _write_report(report: upkeep.Report) -> None:
    names = [(name, "whole") for name in report.whole]
    damaged = [(finding.name, "damaged") for finding in report.damage]
    if names or damaged:
        console.write_table(("NAME", "STATE"), sorted(names + damaged))
    console.say(f"{size(report.checked_bytes)} hashed.")
    for finding in report.damage:
        console.note(finding.text, finding.hint)
    if count := len(report.leftovers):
        freed = size(sum(leftover.freed_bytes for leftover in report.leftovers))
        what = f"1 leftover ({freed}) is" if count == 1 else f"{count} leftovers ({freed}) are"
        console.note(f"{what} of no use", "isthmus store gc")


def _write_leftovers(leftovers: tuple[upkeep.Leftover, ...]) -> None:
    if leftovers:
        rows = [(size(each.freed_bytes), _KINDS[each.kind], str(each.path)) for each in leftovers]
        console.write_table(("SIZE", "WHAT", "PATH"), rows)
