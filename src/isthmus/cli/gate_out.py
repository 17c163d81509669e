"""``isthmus gate schedule``, ``publish``, ``advise`` and ``withdraw``: out, and after."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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

if TYPE_CHECKING:
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
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="A folder that isn't there yet.")],
    folder: Folder = HERE,
    key: Key = None,
    passphrase: Locked = False,
) -> None:
    """Publish: write the signed release to a new folder.

    Not before the scheduled time. It is checked there as a user's machine will check it.
    """
    project, signer = open_project(folder), open_key(key, locked=passphrase)
    from isthmus.gate.publication import publish as work

    with ProgressDisplay() as progress:
        work(project, signer, target, progress)
    console.write(str(target))
    console.say(
        f"{project.situation.present.release} is published. Users pin your key "
        f"{signer.public.id[:16]}..., and check with: isthmus verify {target} --key FILE"
    )


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
