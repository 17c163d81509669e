"""``isthmus gate init``, ``keygen`` and ``schema``: what there is before the first seal."""

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli import console
from isthmus.cli.gate_options import Locked, ask_passphrase
from isthmus.errors import UsageError

Algorithm = Annotated[
    str, typer.Option("--algorithm", help="ecdsa-p256, ecdsa-p384 (a publisher's), or ed25519.")
]


def init(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where; it may live in Git.")],
    name: Annotated[str, typer.Option("--name", help="The release's name.")] = "publisher/model",
) -> None:
    """Begin a release: a folder with a policy to fill in.

    It holds no weights yet: put what is to be released into its folder weights.
    """
    from isthmus.gate.scaffold import scaffold

    for path in scaffold(folder, name, name.partition("/")[0]):
        console.write(str(path))
    console.say(f"Fill in release.toml and policy.toml, then: isthmus gate plan -C {folder}")


def keygen(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The secret key's file, yours to keep.")],
    algorithm: Algorithm = "ecdsa-p256",
    passphrase: Locked = False,
) -> None:
    """Make a key to sign with, and FILE.pub beside it.

    Prints its id, the SHA-256 of the public half, by which people name it to each other.
    """
    from isthmus.gate.project import write_new
    from isthmus.signing import generate_key
    from isthmus.signing.keys import ALGORITHMS, write_private_key

    if algorithm not in ALGORITHMS:
        raise UsageError(f"there are no keys of the kind {algorithm}", hint=f"--algorithm {ALGORITHMS[0]}")
    key = generate_key(algorithm)
    write_private_key(file, key, ask_passphrase(confirm=True) if passphrase else None)
    public = file.with_name(f"{file.name}.pub")
    write_new(public, key.public.pem.encode())
    console.write(key.public.id)
    console.say(f"The secret key is in {file}, the public one in {public}.")


def schema(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="policy, run or calibration.")],
) -> None:
    """Print the JSON schema of a policy, a run or a calibration set."""
    from isthmus.gate import schemas

    if kind not in schemas.KINDS:
        raise UsageError(f"there is no schema of a {kind}", hint=f"one of {', '.join(schemas.KINDS)}")
    console.write_json(schemas.schema(kind))
