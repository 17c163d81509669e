"""The ledger's tables: `questions`, `reservations`, `keys`, `responses` with `response_items`.

Written for SQLite and PostgreSQL alike. Money is a whole number of nano-dollars (the column's name in the
database says so) and a Decimal in Python; times are UTC in the database and aware in Python. What the
tables are made of is a matter of `migrations/`: a change here needs a new version there.
"""

from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

from isthmus.ledger.money import from_nanos, to_nanos

SCHEMA_VERSION = "0003"
"""The newest revision in `migrations/versions`: what `open_database` expects to find."""


class Usd(TypeDecorator[Decimal]):
    """Dollars: a Decimal here, whole nano-dollars in the database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        """To the database, rounding up."""
        return None if value is None else to_nanos(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:
        """From the database; PostgreSQL's sums of integers come as Decimal."""
        return None if value is None else from_nanos(int(value))


class UtcTime(TypeDecorator[datetime]):
    """A moment: aware here, UTC in the database (SQLite keeps it as text, which sorts as time does)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database, in UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database; SQLite doesn't store the zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# SQLite numbers rows by itself only where the type is called INTEGER, which there holds 64 bits anyway.
_Sequence = BigInteger().with_variant(Integer(), "sqlite")

metadata = MetaData()

questions = Table(
    "questions",
    metadata,
    Column("seq", _Sequence, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("at", UtcTime, nullable=False),
    Column("source", String, nullable=False),
    Column("key", String),
    Column("mode", String, nullable=False),
    Column("target", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("stage", String, nullable=False),
    Column("model", String, nullable=False),
    Column("local_model", String, nullable=False),
    Column("provider", String),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
    Column("reasoning_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("cost_nanousd", Usd, key="cost_usd", nullable=False),
    Column("first_token_s", Float),
    Column("total_s", Float),
    Column("outcome", String, nullable=False),
    Column("error_code", String),
    Column("prompt_digest", String, nullable=False),
    Column("answer_digest", String),
    Column("sent_digest", String),
    Column("sent_bytes", BigInteger, nullable=False),
    Column("evidence", JSON, nullable=False),
    Index("questions_at", "at"),
    sqlite_autoincrement=True,
)
"""One row a question, written once it has ended; rows are added, never changed."""

reservations = Table(
    "reservations",
    metadata,
    Column("id", _Sequence, primary_key=True),
    Column("question_id", String, nullable=False),
    Column("provider", String, nullable=False),
    Column("key", String),
    Column("reserved_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("reserved_nanousd", Usd, key="reserved_usd", nullable=False),
    Column("settled_at", UtcTime),
    Column("settled_nanousd", Usd, key="settled_usd"),
    # All that a cap's sum reads, so that it never visits the table itself.
    Index("reservations_sums", "reserved_at", "settled_usd", "reserved_usd"),
    Index("reservations_question", "question_id"),
    Index("reservations_key", "key", "reserved_at"),
    sqlite_autoincrement=True,
)
"""One row a hosted call, written before it leaves. No reference to `questions`: that row comes later."""

keys = Table(
    "keys",
    metadata,
    Column("name", String, primary_key=True),
    Column("prefix", String, nullable=False, index=True),
    Column("sha256", String, nullable=False, unique=True),
    Column("scopes", JSON, nullable=False),
    Column("created", UtcTime, nullable=False),
    Column("revoked", UtcTime),
    Column("rpm", BigInteger),
    Column("tpm", BigInteger),
    Column("tokens_day", BigInteger),
    Column("day_nanousd", Usd, key="usd_day"),
    Column("month_nanousd", Usd, key="usd_month"),
)
"""One row an API key of this server; a revoked one stays, because questions name it.

Whoever changes a row adds one to SQLite's `user_version`, by which a server learns that it must look again.
"""

responses = Table(
    "responses",
    metadata,
    Column("id", String, primary_key=True),
    Column("key", String),
    Column("created", UtcTime, nullable=False),
    Column("previous_id", String),
    Column("body", Text, nullable=False),
    Column("input", JSON, nullable=False),
    Column("output", JSON, nullable=False),
    Index("responses_created", "created"),
)
"""One row a response that is kept for its caller, texts and all, until it is deleted or too old."""

response_items = Table(
    "response_items",
    metadata,
    Column("id", String, primary_key=True),
    Column("response_id", String, ForeignKey("responses.id", ondelete="CASCADE"), primary_key=True),
    Index("response_items_response", "response_id"),
)
"""Which responses hold an item; it goes with them."""
