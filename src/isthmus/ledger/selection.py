"""Which questions somebody wants to see."""

from datetime import datetime

from msgspec import Struct
from sqlalchemy import ColumnElement, and_, true

from isthmus.ledger.clock import checked_time
from isthmus.ledger.schema import questions
from isthmus.messages import Reason, Target


class Selection(Struct, frozen=True, kw_only=True):
    """What a question must be to be chosen; None: anything.

    Raises:
        LedgerError: A time has no zone.
    """

    since: datetime | None = None
    """The first moment that counts."""
    until: datetime | None = None
    """The first moment that no longer counts."""
    target: Target | None = None
    reason: Reason | None = None
    key: str | None = None
    """The name of the API key that asked."""
    provider: str | None = None
    bench: bool | None = None
    """Whether `isthmus bench` asked it, and no person."""

    def __post_init__(self) -> None:
        for name in ("since", "until"):
            if (moment := getattr(self, name)) is not None:
                checked_time(moment, name)

    @property
    def where(self) -> ColumnElement[bool]:
        """The condition on the table of questions."""
        conditions = [
            questions.c[name] == value
            for name in ("target", "reason", "key", "provider")
            if (value := getattr(self, name)) is not None
        ]
        if self.since is not None:
            conditions.append(questions.c.at >= self.since)
        if self.until is not None:
            conditions.append(questions.c.at < self.until)
        if self.bench is not None:
            conditions.append((questions.c.source == "bench") == self.bench)
        return and_(true(), *conditions)
