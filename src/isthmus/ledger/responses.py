"""Responses that are kept: to be fetched again, and to be gone on from.

A response is its caller's: who has another API key doesn't find it. It keeps its own input and its output;
the conversation before it is found by way of the response that it continues.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Engine, delete, insert, select

from isthmus.errors import NotFound
from isthmus.ledger.clock import Clock, utc_now
from isthmus.ledger.database import reading, writing
from isthmus.ledger.schema import response_items, responses

_CLEAN_EVERY = timedelta(minutes=10)


class KeptResponse(Struct, frozen=True, kw_only=True):
    """A response as it is kept."""

    id: str
    key: str | None
    """The name of the API key that asked; None where none was needed."""
    previous_id: str | None = None
    """The response that it continues."""
    body: bytes
    """The response object, as JSON."""
    input: Sequence[dict[str, Any]]
    """The items of its own input, each with its ``id``."""
    output: Sequence[dict[str, Any]]
    """The items of its output."""


class Responses:
    """The responses of one database. Methods block: from async code, call them in a thread.

    Args:
        engine: What `open_database` gave.
        days: How long a response is kept; 0: not at all.
        now: The clock.
    """

    def __init__(self, engine: Engine, *, days: float, now: Clock = utc_now) -> None:
        self.days = days
        self._engine = engine
        self._now = now
        self._cleaned: datetime | None = None

    def keep(self, kept: KeptResponse) -> None:
        """Keep a response, in place of what was kept under its id; let go of those that are too old.

        Raises:
            StorageError: The disk is full or can't be written.
            LedgerError: The database fails.
        """
        row = {
            "id": kept.id,
            "key": kept.key,
            "created": self._now(),
            "previous_id": kept.previous_id,
            "body": kept.body.decode(),
            "input": list(kept.input),
            "output": list(kept.output),
        }
        ids = {item["id"] for item in (*kept.input, *kept.output)}
        with writing(self._engine) as connection:
            self._clean_sometimes(connection)
            created = connection.scalar(select(responses.c.created).where(responses.c.id == kept.id))
            if created is not None:
                row["created"] = created
                connection.execute(delete(responses).where(responses.c.id == kept.id))
            connection.execute(insert(responses), row)
            if ids:
                connection.execute(
                    insert(response_items), [{"id": each, "response_id": kept.id} for each in sorted(ids)]
                )

    def body(self, id_: str, key: str | None) -> bytes:
        """The object of a response.

        Raises:
            NotFound: Nothing is kept under that id for that key.
        """
        with reading(self._engine) as connection:
            found = connection.scalar(select(responses.c.body).where(self._mine(id_, key)))
        if found is None:
            raise _unknown(id_)
        return found.encode()

    def forget(self, id_: str, key: str | None) -> None:
        """Delete a response for good, its text on the disk overwritten.

        Raises:
            NotFound: Nothing is kept under that id for that key.
        """
        with writing(self._engine) as connection:
            if not connection.execute(delete(responses).where(self._mine(id_, key))).rowcount:
                raise _unknown(id_)

    def clean(self) -> None:
        """Delete what is too old; `keep` does so too, now and then."""
        with writing(self._engine) as connection:
            self._clean(connection)

    def conversation(self, id_: str, key: str | None) -> list[dict[str, Any]]:
        """All items up to a response and with it, in their order.

        Raises:
            NotFound: It, or one that it continues, is not kept, or not for that key.
        """
        with reading(self._engine) as connection:
            return self._until(connection, id_, key)

    def input(self, id_: str, key: str | None) -> list[dict[str, Any]]:
        """All items that a response was made from, in their order; of those before it, what is still kept.

        Raises:
            NotFound: Nothing is kept under that id for that key.
        """
        wanted = select(responses.c.previous_id, responses.c.input).where(self._mine(id_, key))
        with reading(self._engine) as connection:
            row = connection.execute(wanted).one_or_none()
            if row is None:
                raise _unknown(id_)
            before = (
                [] if row.previous_id is None else self._until(connection, row.previous_id, key, part=True)
            )
            return [*before, *row.input]

    def item(self, id_: str, key: str | None) -> dict[str, Any]:
        """An item of any response that is kept.

        Raises:
            NotFound: There is none of that id for that key.
        """
        where = self._of(key) & (response_items.c.id == id_)
        found = select(responses.c.input, responses.c.output).join_from(response_items, responses)
        newest = found.where(where).order_by(responses.c.created.desc()).limit(1)
        with reading(self._engine) as connection:
            row = connection.execute(newest).one_or_none()
        for item in (*row.output, *row.input) if row else ():
            if item["id"] == id_:
                return item
        raise NotFound(f"no item {id_!r} is kept", hint="send the item itself", param="input")

    def _until(
        self, connection: Connection, id_: str, key: str | None, *, part: bool = False
    ) -> list[dict[str, Any]]:
        """The items up to a response; with ``part``, as far back as they are kept."""
        turns: list[list[dict[str, Any]]] = []
        earlier: str | None = id_
        while earlier is not None:
            columns = (responses.c.previous_id, responses.c.input, responses.c.output)
            row = connection.execute(select(*columns).where(self._mine(earlier, key))).one_or_none()
            if row is None and not part:
                raise _unknown(earlier, param="previous_response_id")
            if row is None:
                break
            turns.append([*row.input, *row.output])
            earlier = row.previous_id
        return [item for turn in reversed(turns) for item in turn]

    def _mine(self, id_: str, key: str | None) -> ColumnElement[bool]:
        return (responses.c.id == id_) & self._of(key)

    def _of(self, key: str | None) -> ColumnElement[bool]:
        mine = responses.c.key.is_(None) if key is None else responses.c.key == key
        return mine & (responses.c.created >= self._oldest)

    @property
    def _oldest(self) -> datetime:
        return self._now() - timedelta(days=self.days)

    def _clean_sometimes(self, connection: Connection) -> None:
        if self._cleaned is None or self._now() - self._cleaned >= _CLEAN_EVERY:
            self._clean(connection)

    def _clean(self, connection: Connection) -> None:
        connection.execute(delete(responses).where(responses.c.created < self._oldest))
        self._cleaned = self._now()


def _unknown(id_: str, *, param: str | None = None) -> NotFound:
    return NotFound(f"no response {id_!r} is kept: it is unknown, deleted or too old", param=param)
