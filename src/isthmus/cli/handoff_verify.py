"""``isthmus handoff verify``: whether the ledger is what was written."""

from typing import Annotated

import typer

from isthmus.cli import console
from isthmus.cli.database import database
from isthmus.cli.options import Json
from isthmus.cli.progress import ProgressDisplay
from isthmus.errors import ChainBroken
from isthmus.ledger.verify import Verification
from isthmus.ledger.verify import verify as walk
from isthmus.messages import Progress

Head = Annotated[
    str | None,
    typer.Option("--head", metavar="HASH", help="A head that you kept: it must still be in the chain."),
]


def verify(head: Head = None, as_json: Json = False) -> None:
    """Verify the ledger's chain of hashes, and print its head.

    Fails (exit code 13) at the first row that was changed, removed, moved or slipped in. Keep the head
    somewhere else: with --head it shows that nothing before it was rewritten, and nothing cut off.
    """
    with database() as engine, ProgressDisplay() as progress:

        def tell(done: int, all_: int) -> None:
            progress(Progress("verifying", done / max(all_, 1), 1))

        found = walk(engine, head=head, on_progress=tell)
    if as_json:
        console.write_json(found)
    if found.broken is not None:
        raise ChainBroken(f"the ledger's chain is broken: {found.broken.message}", hint=_hint(found))
    if not as_json:
        pruned = (
            f", from {found.pruned_until + 1} on (what came before was pruned)" if found.pruned_until else ""
        )
        holds = "The one link holds" if found.links == 1 else f"All {found.links} links hold"
        console.say(f"{holds}{pruned}. Keep the head elsewhere, and check it by --head:")
        console.write(found.head)


def _hint(found: Verification) -> str:
    subject = found.broken.subject if found.broken else None
    if subject and found.broken and found.broken.kind == "question":
        return f"isthmus handoff show {subject}; a backup has what was written"
    return "compare with a backup of ledger.sqlite3, or with an earlier isthmus handoff export"
