"""``isthmus handoff report``: what the hand-off came to, as a table, a chart, a page or JSON."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from isthmus import configuration
from isthmus.cli import console
from isthmus.cli.amounts import counted
from isthmus.cli.database import database
from isthmus.cli.handoff_filters import KeyOption, ProviderOption, Since, Until, selection
from isthmus.cli.options import Json
from isthmus.configuration import Configuration
from isthmus.errors import HandoffRefused, SettingsError
from isthmus.ledger import Ledger, show_usd
from isthmus.ledger.clock import utc_now
from isthmus.ledger.records import Summary
from isthmus.ledger.report import Group, Price, Report
from isthmus.ledger.report import report as add_up

DAYS = 31
"""How many of the latest days the terminal's chart has; ``--html`` has all."""
BAR = 40
"""Characters of the chart's longest bar."""
HOME, AWAY = "█", "▒"

HEADER = ("", "QUESTIONS", "HOME", "SENT", "REFUSED", "SPENT", "SAVED", "RIGHT AT HOME", "RIGHT AWAY")


def report(
    since: Since = None,
    until: Until = None,
    key: KeyOption = None,
    provider: ProviderOption = None,
    last: Annotated[
        int | None, typer.Option("--last", metavar="N", min=1, help="Only the newest N questions.")
    ] = None,
    bench: Annotated[
        bool, typer.Option("--bench", help="What `isthmus bench` asked, instead of what people did.")
    ] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page with charts there.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Add up what was handed over: its share, what it cost, what was saved, and how good answers were.

    Saved is what the answers from home would have cost at the hosted model's price, token for token. What
    `isthmus bench` asked is told apart: nobody wanted to know it.
    """
    config = configuration.load()
    price, why_not = _price(config, provider)
    with database() as engine:
        made = add_up(
            engine,
            selection(since, until, key=key, provider=provider, bench=bench),
            price=price,
            now=utc_now(),
            last=last,
        )
        others = selection(since, until, key=key, provider=provider, bench=not bench)
        benched = None if bench else Ledger(engine).summary(others)
    if html is not None:
        # Altair takes its time, and isn't there in a plain installation.
        from isthmus.cli.handoff_page import write_page

        write_page(made, html)
        console.say(f"Wrote {html}.")
    if as_json:
        console.write_json(_for_programs(made, benched))
    elif html is None:
        for line in _lines(made):
            console.write(line)
        if why_not and made.all.kept:
            console.note(f"what was saved can't be said: {why_not}", "isthmus handoff setup")
        if benched is not None and benched.count:
            console.say(
                f"Not counted: {counted(benched.count, 'question')} of isthmus bench, for "
                f"{show_usd(benched.spent_usd)} (isthmus handoff report --bench)."
            )


def _price(config: Configuration, name: str | None) -> tuple[Price | None, str | None]:
    """The hosted model's price, or why there is none."""
    from isthmus.handoff.away.opening import open_provider

    name = name or next(iter(config.settings.handoff.order), None)
    if name is None:
        return None, "no provider is configured"
    try:
        return open_provider(config, name).price, None
    except (SettingsError, HandoffRefused) as error:
        return None, error.message


def _lines(made: Report) -> Iterator[str]:
    if not made.all.questions:
        yield "Nothing was asked in that time."
        return
    yield _sentence(made)
    if made.shadow.questions:
        yield f"Shadow: {made.shadow}."
    if made.unknown_usd:
        yield f"{show_usd(made.unknown_usd)} was put aside for calls whose end is unknown; caps count it."
    for title, groups in (
        ("WHY", made.reasons),
        ("MODEL", made.models),
        ("KEY", {name or "(none)": group for name, group in made.keys.items()}),
    ):
        if title != "KEY" or set(groups) != {"(none)"}:
            yield ""
            rows = sorted(groups.items(), key=lambda item: -item[1].questions)
            yield from console.table((title, *HEADER[1:]), [_row(name, group) for name, group in rows])
    yield ""
    yield from _chart(made.days)


def _sentence(made: Report) -> str:
    group = made.all
    share = group.share_handed_over or 0.0
    said = f"{counted(group.questions, 'question')}: {group.handed_over} sent ({share:.0%})"
    said += f", {group.kept} kept at home"
    said += f", {group.refused} refused" if group.refused else ""
    said += f". Spent {show_usd(group.spent_usd)}"
    if made.priced:
        said += f"; sending everything would have cost {show_usd(_cents(made.everything_usd))}"
        said += f", so {show_usd(_cents(group.saved_usd))} was saved"
    return f"{said}."


def _row(name: str, group: Group) -> tuple[str, ...]:
    return (
        name.replace("_", " "),
        str(group.questions),
        str(group.kept),
        str(group.handed_over),
        str(group.refused),
        show_usd(group.spent_usd),
        show_usd(_cents(group.saved_usd)) if group.saved_usd else "",
        _quality(group.kept_right, group.kept_labelled),
        _quality(group.handed_over_right, group.handed_over_labelled),
    )


def _cents(amount: Decimal) -> Decimal:
    """An estimate, to the hundredth of a cent."""
    return amount.quantize(Decimal("0.0001"))


def _quality(right: int, labelled: int) -> str:
    return f"{right}/{labelled}" if labelled else ""


def _chart(days: Mapping[str, Group]) -> Iterator[str]:
    """A bar a day: what was kept, then what was sent."""
    latest = list(days.items())[-DAYS:]
    most = max(group.kept + group.handed_over for _, group in latest) or 1
    which = f", the latest {DAYS} of {len(days)} days" if len(days) > DAYS else ""
    yield f"By day (UTC){which}: {HOME} home, {AWAY} sent"
    for day, group in latest:
        away = round(BAR * group.handed_over / most)
        home = round(BAR * (group.kept + group.handed_over) / most) - away
        bar = HOME * home + AWAY * away
        spent = f", {show_usd(group.spent_usd)}" if group.spent_usd else ""
        yield f"{day}  {bar:<{BAR}}  {group.kept} home, {group.handed_over} sent{spent}"


def _for_programs(made: Report, benched: Summary | None) -> dict[str, Any]:
    """The report with the figures that follow from it, and what it leaves out."""
    return {
        **msgspec.structs.asdict(made),
        "share_handed_over": made.all.share_handed_over,
        "everything_usd": made.everything_usd if made.priced else None,
        "saved_usd": made.all.saved_usd if made.priced else None,
        "not_counted": benched and {"bench": {"questions": benched.count, "spent_usd": benched.spent_usd}},
    }
