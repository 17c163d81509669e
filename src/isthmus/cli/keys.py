"""``isthmus key``: who may use the server from elsewhere, for what, and how much of it."""

from decimal import Decimal, InvalidOperation
from typing import Annotated, cast

import typer

from isthmus.cli import console
from isthmus.cli.amounts import moment
from isthmus.cli.database import database
from isthmus.cli.groups import new_group
from isthmus.cli.options import Json
from isthmus.errors import UsageError
from isthmus.ledger import KeyInfo, KeyLimits, Keys, Ledger, Scope, show_usd

app = new_group()

HEADER = ("NAME", "BEGINS", "SCOPE", "LIMITS", "SPENT TODAY", "CREATED", "REVOKED")

Name = Annotated[str, typer.Argument(metavar="NAME", help="What the key is for: laptop, team, ...")]
Scopes = Annotated[
    list[str] | None,
    typer.Option("--scope", help="infer: ask (the usual); manage: load and fetch models. Repeatable."),
]
Rpm = Annotated[int | None, typer.Option("--rpm", metavar="N", help="Requests a minute.")]
Tpm = Annotated[
    int | None, typer.Option("--tpm", metavar="N", help="Tokens a minute, prompts and completions together.")
]
TokensDay = Annotated[
    int | None, typer.Option("--tokens-day", metavar="N", help="Tokens a day (UTC), all together.")
]
UsdDay = Annotated[
    str | None,
    typer.Option("--usd-day", metavar="X", help="Dollars a day (UTC) for hosted answers."),
]
UsdMonth = Annotated[
    str | None, typer.Option("--usd-month", metavar="X", help="Dollars a month (UTC) for hosted answers.")
]


@app.callback()
def key() -> None:
    """Create, limit, list and revoke the server's API keys."""


@app.command()
def create(
    name: Name,
    scope: Scopes = None,
    rpm: Rpm = None,
    tpm: Tpm = None,
    tokens_day: TokensDay = None,
    usd_day: UsdDay = None,
    usd_month: UsdMonth = None,
) -> None:
    """Create a key and print it, this once.

    Only its hash is kept, so a lost key can't be shown again: revoke it and create another.
    """
    limits = _limits(rpm, tpm, tokens_day, usd_day, usd_month)
    # `Keys` says which scopes there are.
    scopes = cast("list[Scope]", scope or ["infer"])
    with database() as engine:
        _, secret = Keys(engine).create(name, scopes=scopes, limits=limits)
    console.write(secret.reveal())
    console.say(f"Key {name!r} is shown this once. Clients send it as OPENAI_API_KEY, or after 'Bearer '.")


@app.command()
def limit(
    name: Name,
    rpm: Rpm = None,
    tpm: Tpm = None,
    tokens_day: TokensDay = None,
    usd_day: UsdDay = None,
    usd_month: UsdMonth = None,
) -> None:
    """Set all of a key's limits, from the next request on; those that aren't named are lifted."""
    with database() as engine:
        changed = Keys(engine).limit(name, _limits(rpm, tpm, tokens_day, usd_day, usd_month))
    console.say(f"Key {name!r} has {_described(changed) or 'no limits'}.")


@app.command("list")
def list_keys(as_json: Json = False) -> None:
    """List the keys, the revoked ones too, without their secrets."""
    with database() as engine:
        keys, ledger = Keys(engine).list(), Ledger(engine)
        spent = {each.name: ledger.spent("day", key=each.name) for each in keys}
    if as_json:
        console.write_json(keys)
    elif keys:
        console.write_table(HEADER, [_row(each, spent[each.name]) for each in keys])
    else:
        console.say("There are no keys yet: isthmus key create NAME")


@app.command()
def revoke(name: Name) -> None:
    """Revoke a key: from now on the server refuses it."""
    with database() as engine:
        Keys(engine).revoke(name)
    console.say(f"Key {name!r} is revoked.")


def _row(key: KeyInfo, spent: Decimal) -> tuple[str, ...]:
    revoked = moment(key.revoked) if key.revoked else ""
    scopes = ", ".join(key.scopes)
    cost = show_usd(spent) if spent else ""
    return key.name, f"{key.prefix}...", scopes, _described(key), cost, moment(key.created), revoked


def _described(key: KeyInfo) -> str:
    """A key's limits, in the words of the options that set them."""
    counts = (
        (key.rpm, "requests/min"),
        (key.tpm, "tokens/min"),
        (key.tokens_day, "tokens/day"),
    )
    said = [f"{count} {what}" for count, what in counts if count is not None]
    said += [
        f"{show_usd(amount)}/{period}"
        for amount, period in ((key.usd_day, "day"), (key.usd_month, "month"))
        if amount is not None
    ]
    return ", ".join(said)


def _limits(
    rpm: int | None, tpm: int | None, tokens_day: int | None, usd_day: str | None, usd_month: str | None
) -> KeyLimits:
    return KeyLimits(rpm, tpm, tokens_day, _dollars("--usd-day", usd_day), _dollars("--usd-month", usd_month))


def _dollars(option: str, text: str | None) -> Decimal | None:
    try:
        return None if text is None else Decimal(text.removeprefix("$"))
    except InvalidOperation as error:
        raise UsageError(f"{option} is an amount of dollars, so it can't be {text!r}", hint="0.50") from error
