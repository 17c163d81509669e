"""Responses are kept, for those who go on from them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "responses",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("key", sa.String),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("previous_id", sa.String),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("input", sa.JSON, nullable=False),
        sa.Column("output", sa.JSON, nullable=False),
    )
    op.create_index("responses_created", "responses", ["created"])
    op.create_table(
        "response_items",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column(
            "response_id", sa.String, sa.ForeignKey("responses.id", ondelete="CASCADE"), primary_key=True
        ),
    )
    op.create_index("response_items_response", "response_items", ["response_id"])
