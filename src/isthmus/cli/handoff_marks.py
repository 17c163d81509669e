"""``isthmus handoff marks``: what stays home."""

from datetime import timedelta
from typing import Annotated

import typer

from isthmus import configuration
from isthmus.cli import console
from isthmus.cli.database import database
from isthmus.cli.options import Json
from isthmus.ledger import MarkTable

_ALL = timedelta(seconds=-1)


def marks(
    forget: Annotated[
        bool, typer.Option("--forget", help="Forget all that is remembered; your rules stay.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what stays home: your rules, and how much is remembered of marked conversations.

    Of those, and of all that was made of them, numbers are remembered, never texts. With --forget they are
    let go of, in running servers too; conversations that were marked by a request may then leave.
    """
    rules = configuration.load().settings.handoff.home_only
    with database() as engine:
        table = MarkTable(engine)
        forgotten = table.forget(older_than=_ALL) if forget else 0
        remembered = table.count()
        table.close()
    if as_json:
        console.write_json({"rules": rules, "remembered": remembered, "forgotten": forgotten})
        return
    for name in ("paths", "tools", "words", "patterns"):
        for each in getattr(rules, name):
            console.write(f"{name.removesuffix('s')}  {each}")
    if forget:
        console.write(f"{forgotten:,} numbers forgotten.")
    else:
        console.write(
            f"{remembered:,} numbers remembered, each for {rules.days:g} days after it was last seen."
        )
