"""What the hand-off came to: kept, sent, spent and saved; in all, by reason, day, key and model.

What an answer from home would have cost away is its own tokens at the hosted model's price: an estimate,
since the hosted model might have said more or less.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import TypeAlias

import msgspec
from msgspec import Struct
from sqlalchemy import Engine, RowMapping, Text, cast, select

from isthmus.ledger.caps import total
from isthmus.ledger.database import reading
from isthmus.ledger.money import show_usd
from isthmus.ledger.schema import labels, questions, reservations
from isthmus.ledger.selection import Selection
from isthmus.messages import Usage

Price: TypeAlias = Callable[[Usage], Decimal]
"""Dollars for the tokens of one answer of the hosted model."""

_BATCH = 2000
_COLUMNS = (
    *(questions.c[name] for name in ("seq", "at", "target", "reason", "key", "model", "cost_usd")),
    *(questions.c[name] for name in Usage.__struct_fields__),
    cast(questions.c.evidence, Text).label("evidence"),
    labels.c.correct,
)


class Group(Struct):
    """Questions that have something in common, counted."""

    name: str
    questions: int = 0
    kept: int = 0
    """Answered at home."""
    handed_over: int = 0
    refused: int = 0
    spent_usd: Decimal = Decimal(0)
    saved_usd: Decimal = Decimal(0)
    """What the answers from home would have cost away; 0 where the price is unknown."""
    kept_labelled: int = 0
    kept_right: int = 0
    handed_over_labelled: int = 0
    handed_over_right: int = 0

    @property
    def share_handed_over(self) -> float | None:
        """Of the questions that were answered; None where none was."""
        answered = self.kept + self.handed_over
        return self.handed_over / answered if answered else None


class Shadow(Struct):
    """What ``auto`` would have sent, as shadow mode recorded it."""

    questions: int = 0
    would_send: int = 0
    would_cost_usd: Decimal = Decimal(0)

    def __str__(self) -> str:
        asked = "question" if self.questions == 1 else f"{self.questions} questions"
        cost = show_usd(self.would_cost_usd)
        return f"on your last {asked} auto would have sent {self.would_send}, for {cost}"


class Report(Struct):
    """What the questions of some time came to."""

    all: Group
    priced: bool
    """Whether the hosted model's price is known, and with it what was saved."""
    unknown_usd: Decimal
    """Put aside by hosted calls whose end nobody recorded; caps count it as spent."""
    shadow: Shadow
    reasons: dict[str, Group] = {}
    days: dict[str, Group] = {}
    """By day (UTC), as in 2026-03-14."""
    keys: dict[str, Group] = {}
    """By API key; "" is whoever needed none."""
    models: dict[str, Group] = {}

    @property
    def everything_usd(self) -> Decimal:
        """What sending everything would have cost."""
        return self.all.spent_usd + self.all.saved_usd


def report(
    engine: Engine, selection: Selection, *, price: Price | None, now: datetime, last: int | None = None
) -> Report:
    """Add the chosen questions up.

    Args:
        engine: The database.
        selection: Which questions.
        price: The hosted model's; None: unknown.
        now: The present, after which no open reservation has expired.
        last: At most the newest so many.
    """
    made = Report(Group("all"), price is not None, Decimal(0), Shadow())
    priced = _priced(price)
    for row in _rows(engine, selection, last):
        day = row["at"].astimezone(UTC).date().isoformat()
        named = (
            (made.reasons, row["reason"]),
            (made.days, day),
            (made.keys, row["key"] or ""),
            (made.models, row["model"]),
        )
        for group in (made.all, *(groups.setdefault(name, Group(name)) for groups, name in named)):
            _count(group, row, priced)
        _count_shadow(made.shadow, row["evidence"])
    made.days = dict(sorted(made.days.items()))
    with reading(engine) as connection:
        since = selection.since or datetime.min.replace(tzinfo=UTC)
        lost = reservations.c.settled_usd.is_(None) & (reservations.c.expires_at < now)
        recent = reservations.c.reserved_at >= since
        made.unknown_usd = total(connection, reservations.c.reserved_usd, lost & recent)
    return made


def _rows(engine: Engine, selection: Selection, last: int | None) -> Iterator[RowMapping]:
    """The questions, newest first, read a batch at a time."""
    chosen = select(*_COLUMNS).outerjoin(labels, labels.c.question_id == questions.c.id)
    chosen = chosen.where(selection.where).order_by(questions.c.seq.desc())
    left, before = last, None
    while left is None or left > 0:
        some = chosen.limit(_BATCH if left is None else min(_BATCH, left))
        with reading(engine) as connection:
            page = some if before is None else some.where(questions.c.seq < before)
            batch = connection.execute(page).mappings().all()
        yield from batch
        if not batch:
            return
        before = batch[-1]["seq"]
        left = None if left is None else left - len(batch)


def _priced(price: Price | None) -> Callable[[Usage], Decimal]:
    """The price, asked once for each usage: lists are slow, and many answers are alike."""
    if price is None:
        return lambda _usage: Decimal(0)
    return cache(price)


def _count(group: Group, row: RowMapping, price: Price) -> None:
    group.questions += 1
    group.spent_usd += row["cost_usd"]
    correct: bool | None = row["correct"]
    match row["target"]:
        case "local":
            group.kept += 1
            group.saved_usd += price(_usage(row))
            if correct is not None:
                group.kept_labelled += 1
                group.kept_right += correct
        case "hosted":
            group.handed_over += 1
            if correct is not None:
                group.handed_over_labelled += 1
                group.handed_over_right += correct
        case _:
            group.refused += 1


def _usage(row: RowMapping) -> Usage:
    # What was cached at home would not have been away.
    return Usage(row["prompt_tokens"], row["completion_tokens"], row["reasoning_tokens"])


class _Foreseen(Struct):
    target: str
    cost_usd: Decimal = Decimal(0)


class _Evidence(Struct):
    shadow: _Foreseen | None = None


_evidence = msgspec.json.Decoder(_Evidence)


def _count_shadow(shadow: Shadow, evidence: str) -> None:
    if '"shadow"' not in evidence:
        return
    try:
        foreseen = _evidence.decode(evidence).shadow
    except msgspec.MsgspecError:  # somebody else's, under the same name
        return
    if foreseen is None:
        return
    shadow.questions += 1
    if foreseen.target == "hosted":
        shadow.would_send += 1
        shadow.would_cost_usd += foreseen.cost_usd
