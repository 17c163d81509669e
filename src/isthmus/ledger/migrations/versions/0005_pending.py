"""Hand-overs wait for consent, where nobody can be asked at once."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pending",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("decided", sa.DateTime(timezone=True)),
        sa.Column("question_id", sa.String, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("key", sa.String),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("decision", sa.JSON, nullable=False),
        sa.Column("local_model", sa.String, nullable=False),
        sa.Column("provider", sa.String, nullable=False),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("worst_nanousd", sa.BigInteger, nullable=False),
        sa.Column("cost_nanousd", sa.BigInteger),
    )
    op.create_index("pending_created", "pending", ["created"])
