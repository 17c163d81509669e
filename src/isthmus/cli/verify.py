"""``isthmus verify``: what a release proves, and what it doesn't."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus import configuration
from isthmus.cli import console
from isthmus.cli.options import Json
from isthmus.cli.progress import ProgressDisplay
from isthmus.errors import ReleaseRefused, UsageError
from isthmus.naming import parse_model
from isthmus.settings import Settings

if TYPE_CHECKING:
    from isthmus.trust import Trusted
    from isthmus.trust.origin import Proof


def verify(
    what: Annotated[str, typer.Argument(metavar="MODEL", help="A release's folder, or a model's name.")],
    key: Annotated[
        list[Path] | None,
        typer.Option("--key", metavar="FILE", help="The publisher's public key; else as pinned."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Verify a release: who published it, what it has shown.

    Offline. Of a folder every byte is read; a model that was pulled is checked as at each load. Fails (exit
    code 4 or 14) at the first thing that isn't as it was signed.
    """
    settings = configuration.load().settings
    path = Path(what).expanduser()
    with ProgressDisplay() as progress:
        if path.is_dir():
            found = _folder(path, key or [], settings, progress)
        else:
            found = _model(what, key or [], settings, progress)
    if as_json:
        console.write_json(
            {"publisher": found.publisher, "proof": found.proof, "advisories": found.advisories}
        )
    elif found.proof is None:
        console.say("Nothing is required of this model: its publisher isn't pinned, and nothing was proven.")
    else:
        _write(found, found.proof)


def _folder(path: Path, files: list[Path], settings: Settings, progress: ProgressDisplay) -> "Trusted":
    from isthmus.signing import read_public_key
    from isthmus.trust import Trusted
    from isthmus.trust.folder import check_folder
    from isthmus.trust.publishers import Trust

    if files:
        keys = [read_public_key(file) for file in files]
        return Trusted(None, check_folder(path, keys, datetime.now(UTC), progress))
    trust = Trust(settings)
    found = trust.of_folder(path, (str(path.absolute()),), progress)
    for publisher in trust.publishers:
        if publisher.name == found.publisher and found.proof is None:  # nothing is required; it's asked for
            return Trusted(publisher.name, check_folder(path, publisher.keys, trust.now, progress))
    if found.proof is None:
        raise ReleaseRefused(
            "nobody whom you know signed this, so nothing is proven",
            hint="--key FILE names the publisher's key; [publishers.NAME] in isthmus.toml pins it",
        )
    return found


def _model(what: str, files: list[Path], settings: Settings, progress: ProgressDisplay) -> "Trusted":
    from isthmus.store import Store
    from isthmus.trust import trust_in
    from isthmus.trust import verify as check

    if files:
        raise UsageError("--key goes with a folder; a model here is checked by the keys that are pinned")
    ref = parse_model(what, settings.runners)
    model = ref.path if ref.kind == "path" else Store(settings.home_path).require(ref)
    with check(model, trust=trust_in(settings), on_progress=progress) as verified:
        return verified.origin


def _write(found: "Trusted", proof: "Proof") -> None:
    from isthmus.trust.claims import unproven

    console.write_fields(
        {
            "Publisher": found.publisher or f"the holder of the key {proof.key[:16]}...",
            "Release": proof.release,
            "Digest": proof.weights,
            "Derived from": proof.parent,
            "Files": f"{len(proof.files)}, all as they were signed, and none beside them",
            "Policy": f"{proof.policy.id}, version {proof.policy.version}" if proof.policy else "",
            "Passed": ", ".join(proof.areas),
            "Look": f"{proof.look}, alpha {proof.alpha:g}" if proof.alpha else "",
            "Approved by": "; ".join(f"{each.name} ({', '.join(each.roles)})" for each in proof.approvals),
            "Out since": f"{proof.not_before:%Y-%m-%d %H:%M %Z}" if proof.not_before else "",
            "Advisories": _advisories(found),
        }
    )
    for each in found.advisories:
        console.note(f"{found.publisher}, {each.at:%Y-%m-%d}: {each.text}")
    if proof.level == "signed":
        console.note("it is signed and nothing more: no test was passed, and nobody approved")
    console.write("\nThis doesn't prove:")
    for line in unproven(proof, heeded=found.heeded):
        console.write(f"- {line}")


def _advisories(found: "Trusted") -> str:
    if not found.heeded:
        return "not looked into: none are named in the settings"
    return f"{len(found.advisories)}" if found.advisories else "none"
