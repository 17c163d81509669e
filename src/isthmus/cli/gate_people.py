"""``isthmus gate review``, ``approve``, ``refuse``, ``hold`` and ``resume``: people's part."""

from typing import Annotated

import typer

from isthmus.cli import console
from isthmus.cli.gate_evidence import write_verdict
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

Areas = Annotated[
    list[str] | None, typer.Option("--area", help="The risk that it is about; may be repeated.")
]
Reason = Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason; the public notice tells it.")]


def review(folder: Folder = HERE, key: Key = None, passphrase: Locked = False, why: Why = "") -> None:
    """Give a release that passed to its reviewers.

    Shows what they are to look at: each area's figures, and the digests that they will sign.
    """
    project, signer = open_project(folder), open_key(key, locked=passphrase)
    import msgspec

    from isthmus.gate import signoff
    from isthmus.gate.decision import Verdict

    record = signoff.review(project, signer, why)
    latest = project.situation.verdict
    if latest is not None:
        write_verdict(msgspec.convert(latest.data, Verdict))
    policy = project.situation.present.policy
    console.write_fields({"Weights": record.digests["weights"], "Policy": record.digests["policy"]})
    roles = f", among them {', '.join(policy.roles)}" if policy.roles else ""
    console.say(f"{policy.sign_off.approvals} people must approve{roles}: isthmus gate approve --key FILE")


def approve(folder: Folder = HERE, key: Key = None, passphrase: Locked = False, why: Why = "") -> None:
    """Approve: sign weights, policy, evidence and verdict.

    All of them are checked first. Never by the submitter, and one key counts once.
    """
    project, signer = open_project(folder), open_key(key, locked=passphrase)
    from isthmus.gate import signoff
    from isthmus.gate.lifecycle import missing_roles

    with ProgressDisplay() as progress:
        signoff.approve(project, signer, why, progress)
    situation = project.situation
    have, need = len(situation.approvals), situation.present.policy.sign_off.approvals
    missing = missing_roles(situation.present, situation.approvals)
    if situation.state == "approved":
        console.say("It is approved: isthmus gate schedule says when it may go out.")
    else:
        still = f"; nobody yet as {', '.join(missing)}" if missing else ""
        console.say(f"{have} of {need} have approved{still}.")


def refuse(
    why: Reason, folder: Folder = HERE, key: Key = None, passphrase: Locked = False, area: Areas = None
) -> None:
    """Refuse to approve, with a reason; it is held.

    A signed notice of it is written, for the public.
    """
    project, signer = open_project(folder), open_key(key, locked=passphrase)
    from isthmus.gate import signoff

    _, notice = signoff.refuse(project, signer, why, area or ())
    console.write(str(notice))
    console.say("It is held. The notice above is signed, and meant for the public.")


def hold(
    why: Reason,
    area: Areas = None,
    folder: Folder = HERE,
    key: Key = None,
    passphrase: Locked = False,
    owner: Annotated[str | None, typer.Option("--owner", help="Who looks after it; you by default.")] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="DATE", help="When to look again; else indefinitely.")
    ] = None,
) -> None:
    """Hold a release back, and write a signed notice of it for the public.

    The notice has the areas, the reason, the date, and the history of postponements.
    """
    project, signer = open_project(folder), open_key(key, locked=passphrase)
    from isthmus.gate import signoff

    _, notice = signoff.hold(
        project,
        signer,
        area or (),
        why,
        owner=owner or project.name_of(signer.public.id),
        revisit=parse_time(until, "--until") if until else None,
    )
    console.write(str(notice))
    console.say(f"It is held {f'until {until}' if until else 'indefinitely'}. The notice above is signed.")


def resume(why: Why, folder: Folder = HERE, key: Key = None, passphrase: Locked = False) -> None:
    """Lift a hold; approvals are given anew.

    Somebody other than the submitter does.
    """
    project, signer = open_project(folder), open_key(key, locked=passphrase)
    from isthmus.gate import signoff

    signoff.resume(project, signer, why)
    console.say(f"The hold is lifted: the release is {project.situation.state}.")
