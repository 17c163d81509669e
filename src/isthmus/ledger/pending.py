"""Hand-overs that wait for consent: of questions that came where nobody could be asked, as over an API.

Each is sent once or never, whoever decides, in however many processes. Its text is kept in the database until
it is decided or too old, and is then overwritten; that it was decided is remembered for a while longer.
"""

import secrets
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Engine, RowMapping, delete, insert, select, update

from isthmus.errors import AlreadyDecided, NotFound
from isthmus.ledger.clock import Clock, utc_now
from isthmus.ledger.database import reading, writing
from isthmus.ledger.records import Source
from isthmus.ledger.schema import pending
from isthmus.messages import Decision, GenerationRequest

PendingStatus: TypeAlias = Literal["pending", "approved", "declined", "expired"]

_LARGEST_BYTES = 2**20
"""A larger question doesn't wait, so that those who ask can't fill the disk."""
_REMEMBERED = timedelta(days=30)
"""How long it is known what became of one, without its text."""
_WITHOUT_TEXT = msgspec.json.encode(GenerationRequest(()))


class Waiting(Struct, frozen=True, kw_only=True):
    """A question that would be handed over if the person agreed."""

    question_id: str
    """The ledger's row of the local answer that was given meanwhile."""
    source: Source
    key: str | None
    """The name of the API key that asked; None where none was needed."""
    request: GenerationRequest
    decision: Decision
    """Why it would be handed over."""
    local_model: str
    provider: str
    model: str
    worst_usd: Decimal
    """What it would have cost at worst when it was asked."""


class Pending(Waiting, frozen=True, kw_only=True):
    """A question that waits, or did. Once it is decided its ``request`` has no messages left."""

    id: str
    created: datetime
    status: PendingStatus
    decided: datetime | None = None
    cost_usd: Decimal | None = None
    """What sending it cost; known once it was answered."""


class PendingHandoffs:
    """Those of one database. Methods block: from async code, call them in a thread.

    Args:
        engine: What `open_database` gave.
        hours: How long one may wait; 0: none does.
        most: How many may wait for each API key; the oldest gives way.
        now: The clock.
    """

    def __init__(self, engine: Engine, *, hours: float = 24.0, most: int = 200, now: Clock = utc_now) -> None:
        self._engine = engine
        self.hours = hours
        self._patience = timedelta(hours=hours)
        self._most = most
        self._now = now

    def keep(self, waiting: Waiting) -> str | None:
        """Have a question wait; the id under which it does, or None where it may not (it is too large).

        Raises:
            StorageError: The disk is full or can't be written.
            LedgerError: The database fails.
        """
        request = msgspec.json.encode(waiting.request)
        if not self._patience or len(request) > _LARGEST_BYTES:
            return None
        id_ = secrets.token_hex(16)
        row = msgspec.structs.asdict(waiting) | {
            "id": id_,
            "created": self._now(),
            "status": "pending",
            "request": request.decode(),
            "decision": msgspec.to_builtins(waiting.decision),
        }
        with writing(self._engine) as connection:
            self._clean(connection)
            connection.execute(insert(pending), row)
            self._make_room(connection, waiting.key)
        return id_

    def get(self, id_: str) -> Pending:
        """One of them, decided or not.

        Raises:
            NotFound: There is none of that id, or it is forgotten.
        """
        with reading(self._engine) as connection:
            return self._get(connection, id_)

    def waiting(self, key: str | None = None) -> list[Pending]:
        """Those that can be decided, oldest first; only those of one API key if it is named."""
        mine = self._open if key is None else self._open & (pending.c.key == key)
        found = select(pending).where(mine).order_by(pending.c.created, pending.c.id)
        with reading(self._engine) as connection:
            return [self._read(row) for row in connection.execute(found).mappings()]

    def approve(self, id_: str) -> Pending:
        """Take one to send it, which succeeds once; then say what came of it: `sent` or `unsent`.

        Raises:
            NotFound: There is none of that id.
            AlreadyDecided: It was approved or declined before, or waited too long.
        """
        with writing(self._engine, durable=True) as connection:
            found = self._get(connection, id_)
            self._decide(connection, found, "approved")
            return msgspec.structs.replace(found, status="approved")

    def decline(self, id_: str) -> None:
        """Have one never sent, and its text overwritten.

        Raises:
            NotFound: There is none of that id.
            AlreadyDecided: It was approved or declined before, or waited too long.
        """
        with writing(self._engine) as connection:
            self._decide(connection, self._get(connection, id_), "declined")
            self._wipe(connection, pending.c.id == id_)

    def sent(self, id_: str, cost_usd: Decimal) -> None:
        """An approved one has left, or may have, at that cost: its text is overwritten."""
        with writing(self._engine) as connection:
            self._wipe(connection, pending.c.id == id_, cost_usd=cost_usd)

    def unsent(self, id_: str) -> None:
        """Nothing of an approved one has left (no connection, no money): it waits again."""
        back = (pending.c.id == id_) & (pending.c.status == "approved") & (pending.c.request != "")
        with writing(self._engine) as connection:
            connection.execute(update(pending).where(back).values(status="pending", decided=None))

    def clean(self) -> None:
        """Overwrite the texts of those that waited too long, forget what is long past; `keep` does so too."""
        with writing(self._engine) as connection:
            self._clean(connection)

    # ------------------------------------------------------------ within

    @property
    def _open(self) -> ColumnElement[bool]:
        return (pending.c.status == "pending") & (pending.c.created >= self._oldest)

    @property
    def _oldest(self) -> datetime:
        return self._now() - self._patience

    def _get(self, connection: Connection, id_: str) -> Pending:
        row = connection.execute(select(pending).where(pending.c.id == id_)).mappings().one_or_none()
        if row is None:
            raise NotFound(
                f"nothing waits for consent under the id {id_[:64]!r}", hint="isthmus handoff pending"
            )
        return self._read(row)

    def _read(self, row: RowMapping) -> Pending:
        values: dict[str, Any] = {name: row[name] for name in Pending.__struct_fields__}
        values["request"] = msgspec.json.decode(row["request"] or _WITHOUT_TEXT, type=GenerationRequest)
        values["decision"] = msgspec.convert(row["decision"], Decision)
        if row["status"] == "pending" and row["created"] < self._oldest:
            values["status"] = "expired"
        return Pending(**values)

    def _decide(self, connection: Connection, found: Pending, status: PendingStatus) -> None:
        """Under the write lock, so what was found is still so."""
        if found.status != "pending":
            happened = "waited too long" if found.status == "expired" else f"was {found.status} before"
            raise AlreadyDecided(f"this hand-over {happened}", hint="isthmus handoff pending")
        mine = update(pending).where(pending.c.id == found.id)
        connection.execute(mine.values(status=status, decided=self._now()))

    def _make_room(self, connection: Connection, key: str | None) -> None:
        whose = pending.c.key.is_(None) if key is None else pending.c.key == key
        newest = select(pending.c.id).where(self._open & whose)
        newest = newest.order_by(pending.c.created.desc(), pending.c.id).offset(self._most)
        self._expire(connection, pending.c.id.in_(list(connection.scalars(newest))))

    def _clean(self, connection: Connection) -> None:
        self._expire(connection, (pending.c.status == "pending") & (pending.c.created < self._oldest))
        # A crash in the middle of a call leaves an approved one with its text.
        self._wipe(connection, (pending.c.request != "") & (pending.c.created < self._oldest))
        past = self._oldest - _REMEMBERED
        connection.execute(delete(pending).where(pending.c.created < past))

    def _expire(self, connection: Connection, which: ColumnElement[bool]) -> None:
        self._wipe(connection, which, status="expired", decided=self._now())

    def _wipe(self, connection: Connection, which: ColumnElement[bool], **values: Any) -> None:
        connection.execute(update(pending).where(which).values(request="", **values))
