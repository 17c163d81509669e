"""Keys have limits: requests and tokens in a time, and dollars of hosted calls."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("rpm", "tpm", "tokens_day", "day_nanousd", "month_nanousd"):
        op.add_column("keys", sa.Column(name, sa.BigInteger))
    op.create_index("reservations_key", "reservations", ["key", "reserved_at"])
