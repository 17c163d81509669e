"""What the commands of ``isthmus gate`` share: the folder, the key, times."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus import configuration
from isthmus.errors import UsageError
from isthmus.settings import Secret

if TYPE_CHECKING:
    from isthmus.gate.project import Project
    from isthmus.gate.runs import RunHeader
    from isthmus.signing import SigningKey

Folder = Annotated[Path, typer.Option("--folder", "-C", metavar="FOLDER", help="The release's folder.")]
HERE = Path()
Key = Annotated[
    Path | None,
    typer.Option(
        "--key",
        metavar="FILE",
        help="Your secret key, or the public one of a key in your ssh-agent; by default as gate.key says.",
    ),
]
Locked = Annotated[
    bool, typer.Option("--passphrase", help="Ask for the passphrase that the key is encrypted with.")
]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason, which is signed and kept.")]


def open_project(folder: Path) -> "Project":
    """The release in a folder."""
    from isthmus.gate.project import Project

    return Project(folder)


def open_key(file: Path | None, *, locked: bool) -> "SigningKey":
    """The person's secret key: of a file, or, where that holds a public one, of the ssh-agent.

    Raises:
        UsageError: No file is named.
        SigningError: It can't be read.
    """
    from isthmus.signing import read_private_key, read_public_key
    from isthmus.signing.agent import AgentKey
    from isthmus.signing.keys import is_public_key

    named = configuration.load().settings.gate.key
    path = file or (Path(named).expanduser() if named else None)
    if path is None:
        raise UsageError(
            "this is signed, and no key is named", hint="--key FILE, or gate.key in isthmus.toml"
        )
    if not is_public_key(path):
        return read_private_key(path, ask_passphrase() if locked else None)
    agent = os.environ.get("SSH_AUTH_SOCK")
    if not agent:
        raise UsageError(
            f"{path} is a public key, and no ssh-agent runs here", hint="--key FILE of the secret one"
        )
    return AgentKey(read_public_key(path), Path(agent))


def ask_passphrase(*, confirm: bool = False) -> Secret:
    """What the person types."""
    return Secret(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True))


def parse_time(text: str, option: str) -> datetime:
    """A date, or a date and time; UTC where it doesn't say.

    Raises:
        UsageError: It is none.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{option}: {text!r} is no date", hint=f"{option} 2026-12-24T12:00Z") from error
    return time.replace(tzinfo=time.tzinfo or UTC)


def header_for(
    project: "Project", area: str, series: str, subject: str, run: str, judge: str | None = None
) -> "RunHeader":
    """What a run is of, by a command's options: of the very weights that are sealed, where it is the release.

    Raises:
        UsageError: No run has such a name or subject.
    """
    import msgspec

    from isthmus.gate.runs import RELEASE, RunHeader

    sealed, policy = project.situation.sealed, project.situation.present.policy
    named = policy.areas[area].judge.name if area in policy.areas else "none"
    weights = sealed.digests["weights"] if sealed and subject == RELEASE else None
    fields = {"area": area, "series": series, "subject": subject, "run": run, "judge": judge or named}
    try:
        return msgspec.convert({**fields, "weights": weights}, RunHeader)
    except msgspec.ValidationError as error:
        raise UsageError(f"that is no run's: {error}", hint="isthmus gate schema run") from error
