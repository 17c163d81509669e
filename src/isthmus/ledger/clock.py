"""Moments: always aware, because a time without its zone could be any of 24 hours."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

from isthmus.errors import LedgerError

Clock: TypeAlias = Callable[[], datetime]


def utc_now() -> datetime:
    """The clock of this machine."""
    return datetime.now(UTC)


def checked_time(moment: datetime, what: str) -> datetime:
    """The moment itself, if it is one.

    Args:
        moment: A time.
        what: What it is, for the error's sentence.

    Raises:
        LedgerError: It has no zone.
    """
    if moment.tzinfo is None:
        raise LedgerError(f"{what} needs a time zone, and {moment.isoformat()} has none")
    return moment
