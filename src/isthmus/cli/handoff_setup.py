"""``isthmus handoff setup``: from a key in the environment to a provider that questions can be handed to."""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, get_args

import typer
from msgspec import Struct

from isthmus import configuration
from isthmus.cli import console
from isthmus.cli.answering import can_ask
from isthmus.cli.asking import choose, confirm, line
from isthmus.cli.handoff_check import examine, works
from isthmus.cli.settings_file import change_settings, with_settings
from isthmus.configuration import Configuration, user_file, variables_set
from isthmus.errors import IsthmusError, ProviderRejected, UsageError
from isthmus.handoff.away.vendors import KnownVendor, known_vendors
from isthmus.messages import HandoffMode

DAY_USD = Decimal("1.00")
"""The cap on a day that is written where there is none."""


class Plan(Struct, frozen=True):
    """What is to be written: the provider, and its settings by their names in its table."""

    name: str
    table: dict[str, Any]


def setup(
    provider: Annotated[
        list[str] | None,
        typer.Option(
            "--provider", "-p", help="Whom to ask; repeated: whom if that fails. NAME or NAME=MODEL."
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Which of the first one's models.")
    ] = None,
    base_url: Annotated[
        str | None, typer.Option("--base-url", help="The address, where no vendor of that name is known.")
    ] = None,
    key_env: Annotated[
        str | None,
        typer.Option("--key-env", help="The variable that holds the key, if not the vendor's own."),
    ] = None,
    input_usd: Annotated[
        str | None, typer.Option("--input-usd", help="Price of a million prompt tokens, if no list knows it.")
    ] = None,
    output_usd: Annotated[
        str | None, typer.Option("--output-usd", help="Price of a million tokens of answers.")
    ] = None,
    mode: Annotated[str | None, typer.Option("--mode", help="off, shadow, ask, auto or always.")] = None,
    day_usd: Annotated[
        str | None, typer.Option("--day-usd", help="What hosted answers may cost a day, in dollars.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: try it, and write.")] = False,
    untried: Annotated[bool, typer.Option("--no-try", help="Write without the tiny call.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be written, and stop.")] = False,
) -> None:
    """Set a hand-off up: find a key, try one tiny real call, write the settings.

    A key is neither shown nor written: it stays in its variable. Nothing leaves afterwards without your
    consent, unless you choose another mode than ask.
    """
    if mode is not None and mode not in get_args(HandoffMode):
        raise UsageError(f"--mode {mode} is not one of {', '.join(get_args(HandoffMode))}")
    cap = _dollars(day_usd, "--day-usd")
    vendors = known_vendors()
    talks = can_ask() and not yes and not dry_run
    own = {
        "model": model,
        "base_url": base_url,
        "key_env": key_env,
        "input_usd_per_mtok": _dollars(input_usd, "--input-usd"),
        "output_usd_per_mtok": _dollars(output_usd, "--output-usd"),
    }
    given: dict[str, Any] = {field: value for field, value in own.items() if value is not None}
    plans = _plans(provider or [], vendors, given, talks=talks)
    config = configuration.load()
    changes = _changes(plans, config, mode, cap)
    if dry_run:
        console.write(with_settings("", changes).strip())
        return
    if not untried:
        _try(plans, changes, talks=talks)
    _write(changes, plans)


def _dollars(typed: str | None, option: str) -> Decimal | None:
    """An amount of dollars, as typed."""
    if typed is None:
        return None
    try:
        amount = Decimal(typed)
    except InvalidOperation:
        amount = Decimal("nan")
    if not (amount.is_finite() and amount >= 0):
        raise UsageError(f"{option} {typed} is no amount of dollars", hint=f"{option} 0.50")
    return amount


# ---------------------------------------------------------------- whom


def _plans(
    asked: Sequence[str], vendors: Sequence[KnownVendor], given: Mapping[str, Any], *, talks: bool
) -> list[Plan]:
    """Whom to ask; what was ``given`` is for the first."""
    known = {vendor.name: vendor for vendor in vendors}
    if not asked:
        vendor = _found(vendors, talks=talks)
        offered = given.get("model", vendor.model)
        model = line(f"Which of {vendor.title}'s models?", offered) if talks else offered
        return [Plan(vendor.name, _table(vendor.name, vendor, model, given))]
    plans: list[Plan] = []
    for word in asked:
        name, _, model = word.partition("=")
        plans.append(Plan(name, _table(name, known.get(name), model or None, {} if plans else given)))
    return plans


def _found(vendors: Sequence[KnownVendor], *, talks: bool) -> KnownVendor:
    """The vendor that the person has a key for, or the one of several that they choose."""
    found = [vendor for vendor in vendors if vendor.key_variable and not vendor.needs_address]
    if not found:
        for vendor in vendors:
            console.say(f"{vendor.title}: {vendor.key_variables[0]}, made at {vendor.keys_page}")
        raise UsageError(
            "no key of a vendor is in the environment",
            hint="export ANTHROPIC_API_KEY=..., or --provider NAME=MODEL --base-url URL",
        )
    for vendor in found:
        console.say(f"Found {vendor.key_variable} ({vendor.title}).")
    if len(found) == 1 or not talks:
        return found[0]
    return found[choose("Whom shall hard questions go to?", [vendor.title for vendor in found])]


def _table(
    name: str, vendor: KnownVendor | None, model: str | None, given: Mapping[str, Any]
) -> dict[str, Any]:
    """A provider's table: what its vendor doesn't say by itself.

    Raises:
        UsageError: Something is missing.
    """
    if "base_url" not in given:
        if vendor is None:
            raise UsageError(
                f"{name} is no vendor that is known, so it needs an address", hint="--base-url URL"
            )
        if vendor.needs_address:
            raise UsageError(
                f"{vendor.title} is reached at an address of your own",
                hint="--base-url https://RESOURCE.openai.azure.com/openai/v1",
            )
        if vendor.key_variable is None and "key_env" not in given:
            variable = vendor.key_variables[0]
            raise UsageError(
                f"{vendor.title} wants a key, and {variable} isn't set",
                hint=f"export {variable}=..., made at {vendor.keys_page}",
            )
    if (variable := given.get("key_env")) and not variables_set([variable]):
        raise UsageError(f"{variable} holds no key", hint=f"export {variable}=...")
    model = model or given.get("model") or (vendor.model if vendor else None)
    if model is None:
        raise UsageError(f"which of {name}'s models is to be asked?", hint=f"--provider {name}=MODEL")
    return {**given, "model": model}


# ---------------------------------------------------------------- what


def _changes(
    plans: Sequence[Plan], config: Configuration, mode: str | None, day_usd: Decimal | None
) -> dict[str, Any]:
    """The settings to write, by their dotted names; what is there and does is left alone."""
    handoff = config.settings.handoff
    kept = handoff.mode if handoff.mode != "off" else "ask"
    changes: dict[str, Any] = {"handoff.mode": mode or kept}
    if len(plans) > 1 or handoff.providers:
        changes["handoff.providers"] = [plan.name for plan in plans]
    else:
        changes["handoff.provider"] = plans[0].name
    budget = handoff.budget
    if day_usd is not None or (budget.day_usd is None and budget.month_usd is None):
        changes["handoff.budget.day_usd"] = day_usd or DAY_USD
    for plan in plans:
        changes |= {f"providers.{plan.name}.{field}": value for field, value in plan.table.items()}
    return changes


def _try(plans: Sequence[Plan], changes: dict[str, Any], *, talks: bool) -> None:
    """One tiny real call of each, with the settings as they would be."""
    tried = configuration.load(flags=changes)
    if tried.settings.offline or tried.settings.handoff.local_only:
        console.note("nothing may leave this machine, so it is not tried", "isthmus config show")
        return
    for plan in plans:
        if talks and not confirm(f"Try {plan.name} with one tiny call, for a fraction of a cent?"):
            continue
        if not works(examine(tried, plan.name)):
            raise ProviderRejected(
                f"{plan.name} doesn't work yet, so nothing was written",
                hint="--no-try writes it all the same",
            )


def _write(changes: dict[str, Any], plans: Sequence[Plan]) -> None:
    file, changed = change_settings(changes)
    names = ", then ".join(plan.name for plan in plans)
    console.say(f"Written to {file}." if changed else f"{file} says so already.")
    try:
        found = configuration.load()
    except IsthmusError:
        console.note(
            f"{user_file()} was written, and the settings as a whole don't hold", "isthmus config show"
        )
        raise
    handoff = found.settings.handoff
    if handoff.order != tuple(plan.name for plan in plans) or handoff.mode != changes["handoff.mode"]:
        console.note("another layer of the settings says otherwise in this folder", "isthmus config show")
    console.say(f"Hard questions may go to {names}; mode {handoff.mode}: {_MEANS[handoff.mode]}.")
    console.say('Try it: isthmus ask "..."')


_MEANS: dict[HandoffMode, str] = {
    "off": "nothing leaves",
    "shadow": "nothing leaves, and what would have is recorded",
    "ask": "nothing leaves without your consent",
    "auto": "what looks too hard for home leaves by itself",
    "always": "every question leaves",
}
