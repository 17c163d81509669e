"""``isthmus handoff check``: does a provider work, before a question depends on it."""

from typing import Annotated

import typer

from isthmus import configuration
from isthmus.cli import console
from isthmus.cli.database import database
from isthmus.cli.options import Json
from isthmus.cli.running import run
from isthmus.configuration import Configuration
from isthmus.errors import IsthmusError, ProviderRejected, UsageError
from isthmus.handoff.away.trial import QUESTION, Finding, Trial, blame
from isthmus.ledger import Ledger, show_usd

_MARKS = {True: "ok", False: "no", None: "?"}


def check(
    provider: Annotated[str | None, typer.Argument(help="Its name; by default each that is asked.")] = None,
    as_json: Json = False,
) -> None:
    """Try a provider with one tiny real call: does it answer, and what is to be mended.

    It sends a sum and a tool that could do it, nothing of yours, and says beforehand what that costs at most.
    """
    config = configuration.load()
    names = (provider,) if provider else config.settings.handoff.order
    if not names:
        raise UsageError("no provider is configured", hint="isthmus handoff setup")
    found = {name: examine(config, name, talks=not as_json) for name in names}
    if as_json:
        console.write_json(found)
    failed = [name for name, findings in found.items() if not works(findings)]
    if failed:
        raise ProviderRejected(f"{' and '.join(failed)} can't be handed questions as it stands")


def examine(config: Configuration, name: str, *, talks: bool = True) -> list[Finding]:
    """Try one provider, and show what is found."""
    with database() as engine:
        try:
            trial = Trial(config, name, Ledger(engine))
        except IsthmusError as error:
            findings, cost = blame(error), None
        else:
            if talks:
                outgoing = trial.outgoing
                console.say(
                    f"Asking {name} ({outgoing.model} at {outgoing.host}) {QUESTION!r} "
                    f"for at most {show_usd(outgoing.worst_usd)}..."
                )
            findings = run(trial.findings())
            cost = trial.cost_usd
    if talks:
        show(name, findings)
        if cost is not None:
            console.dim(f"It cost {show_usd(cost)}.")
    return findings


def works(findings: list[Finding]) -> bool:
    """Whether questions can be handed over: a provider may lack tools, or not tell its usage."""
    return all(each.well is not False for each in findings if each.what not in ("tools", "usage"))


def show(name: str, findings: list[Finding]) -> None:
    """One line for each thing, and what to do about those that are not well."""
    console.write_table(
        (name.upper(), "", ""), [(each.what, _MARKS[each.well], each.text) for each in findings]
    )
    for each in findings:
        if each.hint and each.well is False:
            console.note(each.text, each.hint)
