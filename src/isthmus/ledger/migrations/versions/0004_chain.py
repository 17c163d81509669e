"""The ledger becomes a chain of hashes, what it holds already included; sealed copies, labels, checkpoints.

What was recorded before is chained in the order of its numbers: reservations, each before its settlement,
then questions. From here on it can't change unseen; what happened to it earlier nobody can tell.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from isthmus.ledger.chain import FACTS, GENESIS, Kind, Link, chained

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
BATCH = 1000

TYPES: dict[str, Any] = {"at": TIME, "reserved_at": TIME, "expires_at": TIME, "settled_at": TIME}
JSONS = ("evidence", "redacted", "attempts")


def upgrade() -> None:
    op.add_column("questions", sa.Column("redacted", sa.JSON))
    op.add_column("questions", sa.Column("attempts", sa.JSON))
    for table, columns in (
        ("questions", ("link", "previous_hash", "hash")),
        ("reservations", ("link", "previous_hash", "hash")),
        ("reservations", ("settled_link", "settled_previous_hash", "settled_hash")),
    ):
        for name in columns:
            op.add_column(table, sa.Column(name, sa.BigInteger if name.endswith("link") else sa.String))
        op.create_index(f"{table}_{columns[0]}", table, [columns[0]], unique=True)
    op.create_index("reservations_provider", "reservations", ["provider", "reserved_at"])
    _create_tables()
    _chain(op.get_bind())


def _create_tables() -> None:
    head = op.create_table(
        "chain_head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("link", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.String, nullable=False),
    )
    op.bulk_insert(head, [{"id": 1, "link": 0, "hash": GENESIS}])
    op.create_table(
        "checkpoints",
        sa.Column("id", SEQUENCE, primary_key=True),
        sa.Column("at", TIME, nullable=False),
        sa.Column("until_link", sa.BigInteger, nullable=False),
        sa.Column("until_hash", sa.String, nullable=False),
        sa.Column("questions", sa.BigInteger, nullable=False),
        sa.Column("calls", sa.BigInteger, nullable=False),
        sa.Column("spent_nanousd", sa.BigInteger, nullable=False),
        sa.Column("link", sa.BigInteger),
        sa.Column("previous_hash", sa.String),
        sa.Column("hash", sa.String),
        sqlite_autoincrement=True,
    )
    op.create_index("checkpoints_link", "checkpoints", ["link"], unique=True)
    op.create_table(
        "sealed",
        sa.Column("id", SEQUENCE, primary_key=True),
        sa.Column("question_id", sa.String, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("digest", sa.String, nullable=False),
        sa.Column("recipient", sa.String, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_index("sealed_question", "sealed", ["question_id"])
    op.create_index("sealed_at", "sealed", ["at"])
    op.create_table(
        "labels",
        sa.Column("question_id", sa.String, primary_key=True),
        sa.Column("correct", sa.Boolean, nullable=False),
        sa.Column("at", TIME, nullable=False),
    )


def _chain(connection: sa.Connection) -> None:
    head = Link(0, "", GENESIS)
    for row in _rows(connection, "reservations", "id", ("reservation", "settlement")):
        (head,) = chained("reservation", [row], head)
        _write(connection, "reservations", "id", row["id"], "", head)
        if row["settled_nanousd"] is not None:
            (head,) = chained("settlement", [row], head)
            _write(connection, "reservations", "id", row["id"], "settled_", head)
    for row in _rows(connection, "questions", "seq", ("question",)):
        (head,) = chained("question", [row], head)
        _write(connection, "questions", "seq", row["seq"], "", head)
    connection.execute(sa.text("UPDATE chain_head SET link = :link, hash = :hash"), head._asdict())


def _rows(
    connection: sa.Connection, table: str, number: str, kinds: tuple[Kind, ...]
) -> Iterator[dict[str, Any]]:
    """All rows in the order of their numbers; JSON as its text, times aware."""
    names = dict.fromkeys([number, *(name for kind in kinds for name in FACTS[kind])])
    columns = {name: sa.column(name, TYPES.get(name)) for name in names}
    chosen = [sa.cast(each, sa.Text).label(name) if name in JSONS else each for name, each in columns.items()]
    found = sa.select(*chosen).select_from(sa.table(table)).order_by(columns[number]).limit(BATCH)
    last = 0
    while rows := connection.execute(found.where(columns[number] > last)).mappings().all():
        for row in rows:
            yield {name: _aware(value) for name, value in row.items()}
        last = rows[-1][number]


def _aware(value: Any) -> Any:
    """SQLite gives times without their zone, which is UTC."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


def _write(connection: sa.Connection, table: str, number: str, row: int, prefix: str, link: Link) -> None:
    values = {f"{prefix}{name}": value for name, value in link._asdict().items()}
    columns = [sa.column(number, sa.BigInteger)]
    columns += [sa.column(name, sa.BigInteger if name.endswith("link") else sa.String) for name in values]
    written = sa.table(table, *columns)
    connection.execute(sa.update(written).where(written.c[number] == row).values(values))
