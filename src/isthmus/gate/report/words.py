"""How a report words what it says."""

from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape

from isthmus.gate.policy import UNTAMPERED

_RESULTS = {"pass": "passed", "fail": "failed", "inconclusive": "inconclusive"}


def series_name(series: str) -> str:
    """What a series is called where people read it."""
    return "untampered" if series == UNTAMPERED else series


def percent(share: float) -> str:
    """A share, to a hundredth of a percent."""
    return f"{share:.2%}"


def share(events: int, n: int) -> str:
    """So many of so many; nothing where there are none."""
    return percent(events / n) if n else ""


def moment(at: datetime | None, otherwise: str = "") -> str:
    """A time, to the minute."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if at else otherwise


def result(found: str | None) -> str:
    """A result as HTML, in its colour."""
    if found is None:
        return "no verdict"
    return f"<span class={_RESULTS[found]}>{_RESULTS[found]}</span>"


def wrapped(text: str) -> str:
    """Text as HTML for a cell that may be several lines long."""
    return f"<span class=words>{escape(text)}</span>"


def listing(title: str, said: Iterable[str]) -> str:
    """A headed list as HTML; nothing where there is nothing to say."""
    items = "".join(f"<li>{escape(each)}</li>" for each in said)
    return f"<div><h3>{escape(title)}</h3><ul>{items}</ul></div>" if items else ""
