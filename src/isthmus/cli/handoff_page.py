"""The page of `isthmus handoff report --html`: charts that need no network to be looked at."""

from importlib import import_module
from pathlib import Path
from typing import Any

from isthmus.cli.amounts import counted
from isthmus.cli.extras import Extra
from isthmus.errors import StorageError
from isthmus.ledger import show_usd
from isthmus.ledger.report import Group, Report

_COLOURS = ["#3987c9", "#d2762a", "#9a6dd0"]
_WIDTH = 640


def write_page(made: Report, file: Path) -> None:
    """Write a page that holds all it needs.

    Raises:
        UsageError: Altair isn't installed.
        StorageError: The file can't be written.
    """
    Extra.CHARTS.require()
    try:
        _charts(made).save(str(file), format="html", inline=True)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise StorageError(f"{file} can't be written: {why}", hint="--html FILE") from error


def _charts(made: Report) -> Any:
    # What it says of its own types is partly unknown.
    alt: Any = import_module("altair")
    who = alt.Scale(domain=["home", "sent", "refused"], range=_COLOURS)
    days = alt.Chart(alt.Data(values=_by_who(made.days)), title="Questions a day").mark_bar()
    days = days.encode(
        x=alt.X("name:T", title=None, timeUnit="utcyearmonthdate"),
        y=alt.Y("count:Q", title="questions", stack=True),
        color=alt.Color("who:N", title=None, scale=who),
        tooltip=["name:N", "who:N", "count:Q"],
    )
    money = alt.Chart(alt.Data(values=_money(made.days)), title="Dollars a day").mark_bar()
    money = money.encode(
        x=alt.X("name:T", title=None, timeUnit="utcyearmonthdate"),
        xOffset="what:N",
        y=alt.Y("usd:Q", title="dollars"),
        color=alt.Color("what:N", title=None),
        tooltip=["name:N", "what:N", "usd:Q"],
    )
    why = alt.Chart(alt.Data(values=_by_who(made.reasons)), title="Why").mark_bar()
    why = why.encode(
        x=alt.X("count:Q", title="questions", stack=True),
        y=alt.Y("name:N", title=None, sort="-x"),
        color=alt.Color("who:N", title=None, scale=who),
        tooltip=["name:N", "who:N", "count:Q"],
    )
    charts = [each.properties(width=_WIDTH) for each in (days, money, why)]
    title = alt.TitleParams("Handed over to hosted models", subtitle=_subtitle(made))
    return alt.vconcat(*charts, title=title).resolve_scale(color="independent")


def _subtitle(made: Report) -> list[str]:
    group = made.all
    counts = f"{group.kept} kept at home, {group.handed_over} sent, {group.refused} refused"
    lines = [f"{counted(group.questions, 'question')}: {counts}; {show_usd(group.spent_usd)} spent"]
    if made.shadow.questions:
        lines.append(f"Shadow: {made.shadow}")
    return lines


def _by_who(groups: dict[str, Group]) -> list[dict[str, Any]]:
    return [
        {"name": name.replace("_", " "), "who": who, "count": count}
        for name, group in groups.items()
        for who, count in (("home", group.kept), ("sent", group.handed_over), ("refused", group.refused))
        if count
    ]


def _money(groups: dict[str, Group]) -> list[dict[str, Any]]:
    return [
        {"name": name, "what": what, "usd": float(usd)}
        for name, group in groups.items()
        for what, usd in (("spent", group.spent_usd), ("saved", group.saved_usd))
    ]
