"""Rows and requests for the tests, and a clock that they set."""

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from isthmus.ledger import Caps, QuestionRecord, ReservationRequest

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)

_numbers = itertools.count()


class SetClock:
    """A clock that stands still until it is set or advanced."""

    def __init__(self, moment: datetime = NOON) -> None:
        self.moment = moment

    def __call__(self) -> datetime:
        return self.moment

    def advance(self, **step: float) -> None:
        self.moment += timedelta(**step)


def question(**changes: Any) -> QuestionRecord:
    plain = {
        "id": f"question-{next(_numbers)}",
        "at": NOON,
        "source": "ask",
        "mode": "auto",
        "target": "local",
        "reason": "looks_easy",
        "stage": "estimate",
        "model": "qwen2.5-coder:0.5b",
        "local_model": "qwen2.5-coder:0.5b",
        "outcome": "complete",
        "prompt_digest": "a" * 64,
    }
    return QuestionRecord(**{**plain, **changes})


def call(amount: str, *, caps: Caps | None = None, **changes: Any) -> ReservationRequest:
    plain = {"question_id": f"question-{next(_numbers)}", "provider": "openai", "lifetime_s": 600.0}
    return ReservationRequest(amount_usd=Decimal(amount), caps=caps or Caps(), **{**plain, **changes})


def caps(request: str | None = None, day: str | None = None, month: str | None = None) -> Caps:
    return Caps(*(Decimal(each) if each is not None else None for each in (request, day, month)))
