"""The ledger's nouns: what is written, what is reserved, what is read back."""

import math
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from isthmus.errors import LedgerError
from isthmus.ledger.clock import checked_time
from isthmus.ledger.money import checked_usd
from isthmus.messages import HandoffMode, Reason, Stage, Target, Usage

Source: TypeAlias = Literal["ask", "chat", "api", "bench"]
Outcome: TypeAlias = Literal["complete", "cut", "cancelled", "failed", "refused"]
Period: TypeAlias = Literal["day", "month"]


class HostedAttempt(Struct, frozen=True, kw_only=True):
    """One hosted call that was made for a question; there are several where one failed."""

    provider: str
    model: str
    error_code: str | None = None
    """How it failed; None where it gave the answer."""
    cost_usd: Decimal = Decimal(0)
    sent_digest: str | None = None
    """SHA-256 of the bytes that left; None where nothing did."""
    sent_bytes: int = 0


class QuestionRecord(Struct, frozen=True, kw_only=True):
    """One question, once it has ended: who answered and why, what it cost, and what left this machine."""

    id: str
    """Unique, such as ``secrets.token_hex(16)``."""
    at: datetime
    """When it was asked."""
    source: Source
    key: str | None = None
    """The name of the API key that asked."""
    mode: HandoffMode
    target: Target
    reason: Reason
    stage: Stage
    model: str
    """Who answered."""
    local_model: str
    provider: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    cached_tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    first_token_s: float | None = None
    total_s: float | None = None
    outcome: Outcome
    error_code: str | None = None
    prompt_digest: str
    """SHA-256 of the question, in hex, as are the two that follow."""
    answer_digest: str | None = None
    sent_digest: str | None = None
    """Of the exact bytes that left; None where nothing did."""
    sent_bytes: int = 0
    evidence: dict[str, Any] = {}
    """The numbers behind the decision; anything that JSON can hold."""
    redacted: dict[str, int] = {}
    """How many pieces of each type were replaced by placeholders in what left."""
    attempts: tuple[HostedAttempt, ...] = ()
    """The hosted calls that were made for it, in their order."""

    def __post_init__(self) -> None:
        checked_time(self.at, "a question's time")
        checked_usd(self.cost_usd, "a question's cost")
        for seconds in (self.first_token_s, self.total_s):
            if seconds is not None and not math.isfinite(seconds):
                raise LedgerError(f"a question can't take {seconds} seconds")


class ChainedQuestion(Struct, frozen=True):
    """A question with its place in the ledger's chain; None where it was written beside the chain."""

    record: QuestionRecord
    link: int | None
    previous_hash: str | None
    hash: str | None


class Summary(Struct, frozen=True):
    """What the ledger's questions come to."""

    count: int
    kept: int
    """Answered at home."""
    handed_over: int
    refused: int
    spent_usd: Decimal
    """The questions' own costs."""
    unsettled_usd: Decimal
    """Reserved by calls whose end nobody recorded (under way, or cut by a crash); caps count it as spent."""
    usage: Usage


class Caps(Struct, frozen=True):
    """What hosted calls may cost at most, in dollars; None: no cap."""

    request_usd: Decimal | None = None
    """All calls for one question together."""
    day_usd: Decimal | None = None
    month_usd: Decimal | None = None

    def __post_init__(self) -> None:
        for cap in (self.request_usd, self.day_usd, self.month_usd):
            if cap is not None and (cap.is_nan() or cap < 0):
                raise LedgerError(f"a cap is an amount of dollars, so it can't be {cap}")


class ReservationRequest(Struct, frozen=True, kw_only=True):
    """A hosted call that is about to leave, with the most that it can cost."""

    question_id: str
    provider: str
    key: str | None = None
    amount_usd: Decimal
    """The worst case: all prompt tokens and the longest answer, at the price table."""
    caps: Caps = Caps()
    """For all calls together."""
    key_caps: Caps = Caps()
    """For those of this key."""
    provider_caps: Caps = Caps()
    """For those to this provider."""
    lifetime_s: float
    """How long the call may take; a reservation still open after it was left by a crash."""

    def __post_init__(self) -> None:
        checked_usd(self.amount_usd, "a reservation")
        if not 0 < self.lifetime_s < float("inf"):
            raise LedgerError(f"a reservation can't live for {self.lifetime_s} seconds")


class Call(Struct, frozen=True):
    """A hosted call's money: what was put aside, and what it was settled at (None: nobody knows)."""

    id: int
    provider: str
    key: str | None
    reserved_at: datetime
    expires_at: datetime
    reserved_usd: Decimal
    settled_at: datetime | None
    settled_usd: Decimal | None


class Reservation(Struct, frozen=True):
    """Money put aside for one hosted call."""

    id: int
    amount_usd: Decimal
    reserved_at: datetime
    """The day and the month of this moment bear the cost, whenever the call ends."""
    expires_at: datetime
