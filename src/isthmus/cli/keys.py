"""``isthmus key``: who may use the server from elsewhere."""

from typing import Annotated

import typer

from isthmus.cli import console
from isthmus.cli.amounts import moment
from isthmus.cli.database import database
from isthmus.cli.groups import new_group
from isthmus.cli.options import Json
from isthmus.ledger import KeyInfo, Keys

app = new_group()

Name = Annotated[str, typer.Argument(metavar="NAME", help="What the key is for: laptop, team, ...")]


@app.callback()
def key() -> None:
    """Create, list and revoke the server's API keys."""


@app.command()
def create(name: Name) -> None:
    """Create a key and print it, this once.

    Only its hash is kept, so a lost key can't be shown again: revoke it and create another.
    """
    with database() as engine:
        _, secret = Keys(engine).create(name)
    console.write(secret.reveal())
    console.say(f"Key {name!r} is shown this once. Clients send it as OPENAI_API_KEY, or after 'Bearer '.")


@app.command("list")
def list_keys(as_json: Json = False) -> None:
    """List the keys, the revoked ones too, without their secrets."""
    with database() as engine:
        keys = Keys(engine).list()
    if as_json:
        console.write_json(keys)
    elif keys:
        console.write_table(("NAME", "BEGINS", "CREATED", "REVOKED"), [_row(each) for each in keys])
    else:
        console.say("There are no keys yet: isthmus key create NAME")


@app.command()
def revoke(name: Name) -> None:
    """Revoke a key: from now on the server refuses it."""
    with database() as engine:
        Keys(engine).revoke(name)
    console.say(f"Key {name!r} is revoked.")


def _row(key: KeyInfo) -> tuple[str, ...]:
    revoked = moment(key.revoked) if key.revoked else ""
    return key.name, f"{key.prefix}...", moment(key.created), revoked
