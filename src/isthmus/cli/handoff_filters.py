"""Options that choose questions of the ledger, for the commands that show, export and add them up."""

import re
from datetime import datetime, timedelta
from typing import Annotated, cast, get_args

import typer

from isthmus.errors import UsageError
from isthmus.ledger import Selection
from isthmus.messages import Reason, Target
from isthmus.naming import closest

Since = Annotated[
    str | None,
    typer.Option("--since", metavar="WHEN", help="None older: 7d, 12h, 30m, 2026-03-14, or a full ISO time."),
]
Until = Annotated[str | None, typer.Option("--until", metavar="WHEN", help="Only those before it.")]
TargetOption = Annotated[
    str | None, typer.Option("--target", metavar="WHO", help="Who answered: home, hosted or nobody.")
]
ReasonOption = Annotated[
    str | None, typer.Option("--reason", metavar="WHY", help="Why, such as looks_hard or budget_exceeded.")
]
KeyOption = Annotated[str | None, typer.Option("--key", metavar="NAME", help="Only this API key's.")]
ProviderOption = Annotated[
    str | None, typer.Option("--provider", metavar="NAME", help="Only those handed to this provider.")
]

_TARGETS: dict[str, Target] = {
    "home": "local",
    "local": "local",
    "hosted": "hosted",
    "away": "hosted",
    "nobody": "refuse",
    "refuse": "refuse",
}
_AGO = re.compile(r"(\d+(?:\.\d+)?)([dhm])", re.ASCII)
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


def selection(
    since: str | None = None,
    until: str | None = None,
    target: str | None = None,
    reason: str | None = None,
    key: str | None = None,
    provider: str | None = None,
    *,
    bench: bool | None = None,
) -> Selection:
    """What the options choose.

    Raises:
        UsageError: One of them can't be understood.
    """
    if target is not None and target not in _TARGETS:
        raise UsageError(f"--target can't be {target!r}: home, hosted or nobody", hint="--target hosted")
    reasons = get_args(Reason)
    word = None if reason is None else reason.replace(" ", "_").replace("-", "_")
    if word is not None and word not in reasons:
        near = closest(word, reasons)
        raise UsageError(
            f"no decision has the reason {reason!r}",
            hint=f"--reason {near}" if near else "--reason looks_hard",
        )
    return Selection(
        since=None if since is None else _moment("--since", since),
        until=None if until is None else _moment("--until", until),
        target=None if target is None else _TARGETS[target],
        reason=cast("Reason | None", word),
        key=key,
        provider=provider,
        bench=bench,
    )


def _moment(option: str, text: str) -> datetime:
    """A moment as a person writes it; without a zone it is in theirs."""
    now = datetime.now().astimezone()
    if ago := _AGO.fullmatch(text):
        return now - timedelta(**{_UNITS[ago[2]]: float(ago[1])})
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"{option} is no moment: {text!r}", hint=f"{option} 7d, or {now:%Y-%m-%d}"
        ) from error
