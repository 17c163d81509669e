"""``isthmus handoff prune``: letting go of what is too old."""

from typing import Annotated

import msgspec
import typer

from isthmus import configuration
from isthmus.cli import console
from isthmus.cli.amounts import counted
from isthmus.cli.database import database
from isthmus.cli.options import Json
from isthmus.ledger import retention_of
from isthmus.ledger.clock import utc_now
from isthmus.ledger.database import compact
from isthmus.ledger.retention import Pruned, let_go


def prune(
    days: Annotated[
        float | None,
        typer.Option("--days", min=1, help="Let go of older rows; by default as ledger.retention_days says."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    as_json: Json = False,
) -> None:
    """Let go of what is older than the settings keep it: sealed copies, and questions' rows.

    A checkpoint is left in the rows' place, so that the chain of hashes can still be verified. Rows of this
    month stay, because caps count them. A server does the same by itself, every few hours, without making
    the file smaller.
    """
    retention = retention_of(configuration.load().settings)
    if days is not None:
        retention = msgspec.structs.replace(retention, rows_days=days)
    with database() as engine:
        pruned = let_go(engine, retention, utc_now(), dry_run=dry_run)
        if not dry_run and pruned != Pruned():
            compact(engine)
    if as_json:
        console.write_json(pruned)
        return
    verb = "Would let go" if dry_run else "Let go"
    copies = "1 sealed copy" if pruned.sealed == 1 else f"{pruned.sealed} sealed copies"
    console.write(
        f"{verb} of {counted(pruned.questions, 'question')}, {counted(pruned.calls, 'call')} and {copies}."
    )
    if not retention.rows_days:
        console.dim("Rows are kept for good: set ledger.retention_days, or say --days.")
