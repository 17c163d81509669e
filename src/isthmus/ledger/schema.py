"""The ledger's tables.

One chain of hashes holds `questions`, `reservations` and `checkpoints` together (`isthmus.ledger.chain`);
beside them are `keys`, `sealed`, `labels`, `responses` with `response_items`, `pending` and `marks`.

Written for SQLite and PostgreSQL alike. Money is a whole number of nano-dollars (the column's name in the
database says so) and a Decimal in Python; times are UTC in the database and aware in Python. What the
tables are made of is a matter of `migrations/`: a change here needs a new version there.
"""

from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

from isthmus.ledger.money import from_nanos, to_nanos

SCHEMA_VERSION = "0006"
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
    Column("redacted", JSON(none_as_null=True)),
    Column("attempts", JSON(none_as_null=True)),
    Column("link", BigInteger),
    Column("previous_hash", String),
    Column("hash", String),
    Index("questions_at", "at"),
    Index("questions_link", "link", unique=True),
    sqlite_autoincrement=True,
)
"""One row a question, written once it has ended; rows are added, never changed. It is a link of the chain."""

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
    Column("link", BigInteger),
    Column("previous_hash", String),
    Column("hash", String),
    Column("settled_link", BigInteger),
    Column("settled_previous_hash", String),
    Column("settled_hash", String),
    # All that a cap's sum reads, so that it never visits the table itself.
    Index("reservations_sums", "reserved_at", "settled_usd", "reserved_usd"),
    Index("reservations_question", "question_id"),
    Index("reservations_key", "key", "reserved_at"),
    Index("reservations_provider", "provider", "reserved_at"),
    Index("reservations_link", "link", unique=True),
    Index("reservations_settled_link", "settled_link", unique=True),
    sqlite_autoincrement=True,
)
"""One row a hosted call, written before it leaves. No reference to `questions`: that row comes later.

It is two links of the chain: what was reserved, and what it was settled at. Each is written once.
"""

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("id", _Sequence, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("until_link", BigInteger, nullable=False),
    Column("until_hash", String, nullable=False),
    Column("questions", BigInteger, nullable=False),
    Column("calls", BigInteger, nullable=False),
    Column("spent_nanousd", Usd, key="spent_usd", nullable=False),
    Column("link", BigInteger),
    Column("previous_hash", String),
    Column("hash", String),
    Index("checkpoints_link", "link", unique=True),
    sqlite_autoincrement=True,
)
"""One row a pruning, itself a link: all up to the link ``until_link`` is gone, and what it came to."""

chain_head = Table(
    "chain_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("link", BigInteger, nullable=False),
    Column("hash", String, nullable=False),
)
"""One row: the chain's last link. Whoever adds one locks it, so that there is one chain."""

sealed = Table(
    "sealed",
    metadata,
    Column("id", _Sequence, primary_key=True),
    Column("question_id", String, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("digest", String, nullable=False),
    Column("recipient", String, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Index("sealed_question", "question_id"),
    Index("sealed_at", "at"),
)
"""One row a body that left, encrypted for the key ``recipient``; ``digest`` is the body's SHA-256."""

labels = Table(
    "labels",
    metadata,
    Column("question_id", String, primary_key=True),
    Column("correct", Boolean, nullable=False),
    Column("at", UtcTime, nullable=False),
)
"""One row a question whose answer somebody has called right or wrong; the last word counts."""

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

pending = Table(
    "pending",
    metadata,
    Column("id", String, primary_key=True),
    Column("created", UtcTime, nullable=False),
    Column("status", String, nullable=False),
    Column("decided", UtcTime),
    Column("question_id", String, nullable=False),
    Column("source", String, nullable=False),
    Column("key", String),
    Column("request", Text, nullable=False),
    Column("decision", JSON, nullable=False),
    Column("local_model", String, nullable=False),
    Column("provider", String, nullable=False),
    Column("model", String, nullable=False),
    Column("worst_nanousd", Usd, key="worst_usd", nullable=False),
    Column("cost_nanousd", Usd, key="cost_usd"),
    Index("pending_created", "created"),
)
"""One row a hand-over that waits for consent, or did; its ``request`` is empty once that is decided."""

marks = Table(
    "marks",
    metadata,
    Column("seq", _Sequence, primary_key=True),
    Column("digest", BigInteger, nullable=False, unique=True),
    Column("seen", UtcTime, nullable=False),
    Index("marks_seen", "seen"),
    sqlite_autoincrement=True,
)
"""Numbers by which texts that stay home are known again, and when each was seen last; never the texts."""
