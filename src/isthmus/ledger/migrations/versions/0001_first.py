"""The first schema: questions, reservations, keys.

Types are spelt out instead of taken from `isthmus.ledger.schema`: that module goes on, a migration stays.
There is no way back from here: it would drop the ledger.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "questions",
        sa.Column("seq", SEQUENCE, primary_key=True),
        sa.Column("id", sa.String, nullable=False, unique=True),
        sa.Column("at", TIME, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("key", sa.String),
        sa.Column("mode", sa.String, nullable=False),
        sa.Column("target", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("stage", sa.String, nullable=False),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("local_model", sa.String, nullable=False),
        sa.Column("provider", sa.String),
        sa.Column("prompt_tokens", sa.BigInteger, nullable=False),
        sa.Column("completion_tokens", sa.BigInteger, nullable=False),
        sa.Column("reasoning_tokens", sa.BigInteger, nullable=False),
        sa.Column("cached_tokens", sa.BigInteger, nullable=False),
        sa.Column("cost_nanousd", sa.BigInteger, nullable=False),
        sa.Column("first_token_s", sa.Float),
        sa.Column("total_s", sa.Float),
        sa.Column("outcome", sa.String, nullable=False),
        sa.Column("error_code", sa.String),
        sa.Column("prompt_digest", sa.String, nullable=False),
        sa.Column("answer_digest", sa.String),
        sa.Column("sent_digest", sa.String),
        sa.Column("sent_bytes", sa.BigInteger, nullable=False),
        sa.Column("evidence", sa.JSON, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("questions_at", "questions", ["at"])

    op.create_table(
        "reservations",
        sa.Column("id", SEQUENCE, primary_key=True),
        sa.Column("question_id", sa.String, nullable=False),
        sa.Column("provider", sa.String, nullable=False),
        sa.Column("key", sa.String),
        sa.Column("reserved_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("reserved_nanousd", sa.BigInteger, nullable=False),
        sa.Column("settled_at", TIME),
        sa.Column("settled_nanousd", sa.BigInteger),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "reservations_sums", "reservations", ["reserved_at", "settled_nanousd", "reserved_nanousd"]
    )
    op.create_index("reservations_question", "reservations", ["question_id"])

    op.create_table(
        "keys",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("prefix", sa.String, nullable=False),
        sa.Column("sha256", sa.String, nullable=False, unique=True),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("created", TIME, nullable=False),
        sa.Column("revoked", TIME),
    )
    op.create_index("ix_keys_prefix", "keys", ["prefix"])
