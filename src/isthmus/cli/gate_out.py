"""``isthmus gate schedule``, ``publish``, ``advise`` and ``withdraw``: out, and after."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus import configuration
from isthmus.cli import console
from isthmus.cli.gate_options import (
    HERE,
    Folder,
    Key,
    Locked,
    Why,
    open_key,
    open_project,
    parse_time,
)
from isthmus.cli.progress import ProgressDisplay
from isthmus.errors import UsageError

if TYPE_CHECKING:
    from isthmus.gate.registry import RegistryTarget
    from isthmus.trust.advisories import Feed as FeedIssue

Feed = Annotated[
    Path, typer.Option("--feed", metavar="FILE", help="The publisher's feed; made where there is none.")
]
Text = Annotated[str, typer.Option("--text", help="What users are told.")]
Days = Annotated[int, typer.Option("--days", min=1, max=366, help="For how long this issue is good.")]


def schedule(
    at: Annotated[str, typer.Option("--at", metavar="TIME", help="Not before: 2026-12-24T12:00Z.")],
    folder: Folder = HERE,
    key: Key = None,
    passphrase: Locked = False,
    why: Why = "",
) -> None:
    """Say from when on an approved release may go out."""
    project, signer = open_project(folder), open_key(key, locked=passphrase)
    from isthmus.gate import signoff

    time = parse_time(at, "--at")
    signoff.schedule(project, signer, time, why)
    console.say(f"It may go out from {time:%Y-%m-%d %H:%M %Z} on: isthmus gate publish FOLDER")


def publish(
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="TARGET...", help="A folder that isn't there yet, or oci:HOST/REPOSITORY:TAG."
        ),
    ],
    folder: Folder = HERE,
    key: Key = None,
    passphrase: Locked = False,
) -> None:
    """Publish: the signed release, to a new folder, a registry, or both.

    Not before the scheduled time. It is checked as a user's machine will check it before any of it goes out.
    A registry is shown what `docker login` or the like wrote down; a tag that is there is never replaced.
    """
    folders = [Path(target) for target in targets if not target.startswith("oci:")]
    if len(folders) > 1:
        raise UsageError("a release is written to one folder", hint=f"cp -r {folders[0]} {folders[1]}")
    registries = [_registry(target) for target in targets if target.startswith("oci:")]
    project, signer = open_project(folder), open_key(key, locked=passphrase)
    from isthmus.gate.publication import publish as work

    target = folders[0] if folders else None
    with ProgressDisplay() as progress:
        record, _ = work(project, signer, target, progress, registries=registries)
    places = [*map(str, folders), *record.data.get("registries", ())]
    for place in places:
        console.write(place)
    check = f"isthmus verify {target} --key FILE" if target else f"isthmus pull {places[0]}"
    console.say(
        f"{project.situation.present.release} is published. Users pin your key "
        f"{signer.public.id[:16]}..., and check with: {check}"
    )


def _registry(target: str) -> "RegistryTarget":
    from isthmus.gate.registry import RegistryTarget
    from isthmus.store.sources.logins import read_login
    from isthmus.store.sources.oci_push import require_tag

    reference = require_tag(target)
    return RegistryTarget(reference, read_login(configuration.load().registry_logins, reference.host))


def advise(
    text: Text,
    feed: Feed,
    folder: Folder = HERE,
    key: Key = None,
    passphrase: Locked = False,
    days: Days = 30,
) -> None:
    """Tell users of a release that is out something about it.

    In the next issue of the publisher's feed, which they fetch; it expires, so publish one in time.
    """
    _issue(folder, key, text, feed, days, locked=passphrase, withdraw=False)


def withdraw(
    text: Text,
    feed: Feed,
    folder: Folder = HERE,
    key: Key = None,
    passphrase: Locked = False,
    days: Days = 30,
) -> None:
    """Withdraw a release that is out, as far as that is possible.

    It recalls no copy. Machines that heed the publisher's feed refuse the release from then on.
    """
    _issue(folder, key, text, feed, days, locked=passphrase, withdraw=True)
    console.note("withdrawing recalls no copy: whoever has the weights still has them")


def renew(
    feed: Feed, folder: Folder = HERE, key: Key = None, passphrase: Locked = False, days: Days = 30
) -> None:
    """Issue the publisher's feed anew, before it expires.

    It says what the last issue said, or that there is nothing to say yet.
    """
    project, signer = open_project(folder), open_key(key, locked=passphrase)
    from isthmus.gate import advising

    _say_issue(feed, advising.renew(project, signer, feed, days))


def _issue(
    folder: Path, key: Path | None, text: str, feed: Path, days: int, *, locked: bool, withdraw: bool
) -> None:
    project, signer = open_project(folder), open_key(key, locked=locked)
    from isthmus.gate import advising

    _, issue = advising.advise(project, signer, text, feed, withdraw=withdraw, days=days)
    _say_issue(feed, issue)


def _say_issue(path: Path, issue: "FeedIssue") -> None:
    console.write(str(path))
    console.say(f"Issue {issue.number} of the feed, good until {issue.expires:%Y-%m-%d}.")
