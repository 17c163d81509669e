"""Numbers by which texts that stay home are known again; `isthmus.handoff.marking` knows what they mean."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from msgspec import Struct
from sqlalchemy import Engine, delete, func, select
from sqlalchemy.dialects.sqlite import insert

from isthmus.ledger.clock import Clock, utc_now
from isthmus.ledger.database import explained, reading, writing
from isthmus.ledger.schema import marks

_NEWER = "SELECT seq, digest FROM marks WHERE seq > ? ORDER BY seq"
_LAST = "SELECT coalesce(max(seq), 0) FROM marks"


class Changes(Struct, frozen=True):
    """What happened to the numbers since it was asked last.

    Attributes:
        emptied: Whether all that there were are gone.
        added: Those that came.
    """

    emptied: bool = False
    added: list[int] = []


class MarkTable:
    """The numbers of one database, and those that any process adds to it.

    `changes` is for one thread, that of a server's requests: it keeps a connection of its own, by which
    SQLite tells in microseconds whether anybody has written since (``data_version``).

    Args:
        engine: What `open_database` gave.
        now: The clock.
    """

    def __init__(self, engine: Engine, *, now: Clock = utc_now) -> None:
        self._engine = engine
        self._now = now
        self._last = 0
        self._seen: int | None = None
        with explained(engine):
            self._connection = engine.raw_connection()
            self._driver: Any = self._connection.driver_connection
            self._connection.detach()

    def changes(self) -> Changes:
        """What any process has done since it was asked last; at first, all numbers are new.

        Raises:
            LedgerError: The database fails.
            StorageError: The disk does.
        """
        with explained(self._engine):
            written = self._driver.execute("PRAGMA data_version").fetchone()[0]
            if written == self._seen:
                return Changes()
            emptied = self._driver.execute(_LAST).fetchone()[0] < self._last
            rows = self._driver.execute(_NEWER, (0 if emptied else self._last,)).fetchall()
        if rows or emptied:
            self._last = rows[-1][0] if rows else 0
        self._seen = written
        return Changes(emptied, [digest for _, digest in rows])

    def add(self, digests: Collection[int]) -> None:
        """Keep numbers; of those that are there, that they were seen again.

        Raises:
            LedgerError: The database fails.
            StorageError: The disk does.
        """
        if not digests:
            return
        seen = self._now()
        adding = insert(marks)
        kept = adding.on_conflict_do_update(index_elements=[marks.c.digest], set_={"seen": seen})
        with writing(self._engine) as connection:
            connection.execute(kept, [{"digest": each, "seen": seen} for each in digests])

    def forget(self, *, older_than: timedelta) -> int:
        """Let go of the numbers that nobody has seen for so long; how many that were.

        Raises:
            LedgerError: The database fails.
            StorageError: The disk does.
        """
        with writing(self._engine) as connection:
            return connection.execute(delete(marks).where(marks.c.seen < self._now() - older_than)).rowcount

    def count(self) -> int:
        """How many numbers there are.

        Raises:
            LedgerError: The database fails.
            StorageError: The disk does.
        """
        with reading(self._engine) as connection:
            return connection.scalar(select(func.count()).select_from(marks)) or 0

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()
