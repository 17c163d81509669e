"""``isthmus handoff keygen`` and ``unseal``: copies of what left that only the holder of a key can read."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli import console
from isthmus.cli.database import database
from isthmus.errors import LedgerError, StorageError
from isthmus.ledger import Ledger
from isthmus.ledger.sealing import Unsealer, copies_of, new_key
from isthmus.settings import Secret

Locked = Annotated[
    bool, typer.Option("--passphrase", help="Ask for a passphrase that the secret key is encrypted with.")
]


def keygen(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Where the secret key goes; it must not exist yet.")
    ] = Path("isthmus-unseal.pem"),
    passphrase: Locked = False,
) -> None:
    """Make a pair of keys for sealed copies: the secret one into a file, the public one printed.

    The server needs the public one alone. Keep the file elsewhere: without it nobody reads the copies.
    """
    secret, public = new_key(_passphrase(confirm=True) if passphrase else None)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as opened:
            opened.write(secret.reveal())
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise StorageError(f"{file} can't be written: {why}", hint="isthmus handoff keygen FILE") from error
    console.write(public)
    console.say(f"The secret key is in {file}: keep it elsewhere. In isthmus.toml, under [handoff]:")
    console.say(f'keep_sent = "sealed"\nsealing_key = "{public}"')


def unseal(
    id_: Annotated[str, typer.Argument(metavar="ID", help="A question's id, or how it begins.")],
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="The secret key of handoff keygen.")],
    passphrase: Locked = False,
) -> None:
    """Print the exact bytes that left for a question, checked against the digests in its row."""
    try:
        pem = Secret(key.read_text(encoding="ascii"))
    except (OSError, UnicodeError) as error:
        raise LedgerError(f"the secret key {key} can't be read: {error}") from error
    unsealer = Unsealer(pem, _passphrase() if passphrase else None)
    with database() as engine:
        record = Ledger(engine).find(id_).record
        copies = copies_of(engine, record.id)
    bodies = [unsealer.unseal(each) for each in copies]
    known = {record.sent_digest, *(each.sent_digest for each in record.attempts)}
    strange = [each.digest for each in copies if each.digest not in known]
    for body in bodies:
        sys.stdout.buffer.write(body + b"\n")
    if strange:
        console.note(f"the question's row doesn't name these digests: {', '.join(strange)}")


def _passphrase(*, confirm: bool = False) -> Secret:
    return Secret(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True))
