"""The ledger's SQLite file: opening and migrating it, transactions, and its errors in the person's words.

Everything in this room reads inside `reading` and writes inside `writing`. A writing transaction takes
SQLite's one write lock at its first statement, so whatever it reads stays true until it commits, in all
processes: this is what makes a budget exact.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from isthmus.errors import IsthmusError, LedgerError, StorageError
from isthmus.ledger.schema import SCHEMA_VERSION, questions

BUSY_TIMEOUT_S = 30.0
"""How long a transaction waits for the write lock. One takes about a millisecond."""

_SYNCHRONOUS = "isthmus_synchronous"
"""The execution option that makes a transaction a writing one, and says how far it waits for the disk."""

# POSIX drops all of a process's locks on a file when it closes any descriptor of it, so the descriptor that
# creates the file must be closed before another thread may open a connection.
_creating = threading.Lock()

# Of this process one thread writes at a time. SQLite would see to it too, but there those who wait sleep and
# look again, in no order (64 at once: the last waits three times as long), each holding a connection.
_turn = threading.Lock()


def open_database(path: Path) -> Engine:
    """Open the ledger's database; create or migrate it if need be.

    The folder and the file are created for their owner's eyes alone. Several processes may do this at once.

    Args:
        path: The SQLite file.

    Raises:
        StorageError: The folder or the file can't be written, or the disk is full.
        LedgerError: The file is damaged, isn't a ledger, is newer than this program, or stays locked.
    """
    _create(path)
    engine = _engine(path)
    try:
        if _schema_version(engine) != SCHEMA_VERSION:
            _migrate(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


@contextmanager
def reading(engine: Engine) -> Generator[Connection]:
    """A transaction that sees one state of the database and leaves it as it is."""
    with explained(engine), engine.connect() as connection:
        yield connection


@contextmanager
def writing(engine: Engine, *, durable: bool = False) -> Generator[Connection]:
    """A transaction that holds the write lock from its start, and commits unless an error leaves it.

    What is committed outlives a crash of the process; if ``durable``, one of the machine too, for the price
    of waiting for the disk. Without it a power cut may undo the last commits, but never damages the file.
    """
    if not _turn.acquire(timeout=BUSY_TIMEOUT_S):
        raise _busy(_path(engine))
    try:
        with explained(engine), engine.connect() as connection:
            connection.execution_options(**{_SYNCHRONOUS: "FULL" if durable else "NORMAL"})
            with connection.begin():
                yield connection
    finally:
        _turn.release()


def compact(engine: Engine) -> None:
    """Rebuild the file without the room that deleted rows took. Others wait, 1 s for 100 MB."""
    if engine.dialect.name != "sqlite":
        return
    with explained(engine), engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        driver.execute("VACUUM")
        driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def to_json(value: Any) -> str:
    """The text of a JSON column, in which the chain of hashes covers it: the same for the same value."""
    return msgspec.json.encode(value).decode()


def explained(engine: Engine) -> AbstractContextManager[None]:
    """Turn the database's own errors into the tree's.

    Raises:
        StorageError: The disk is full, failing, or can't be written.
        LedgerError: Anything else that goes wrong with the database.
    """
    return _Explained(engine)


class _Explained:
    """A class, since a server enters it at every request, and a generator takes three times as long."""

    __slots__ = ("_engine",)

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, SQLAlchemyError | sqlite3.Error):
            raise _explain(error, _path(self._engine)) from error


# ---------------------------------------------------------------- opening


def _create(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _creating:
            if not path.exists():
                os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise StorageError(
            f"the ledger {path} can't be created: {(error.strerror or str(error)).lower()}",
            hint=_writable(path.parent),
        ) from error


def _engine(path: Path) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"timeout": BUSY_TIMEOUT_S},
        json_serializer=to_json,
        json_deserializer=msgspec.json.decode,
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    # Python's own handling begins transactions late and never for a SELECT; SQLAlchemy's documentation
    # ("Enabling Non-Legacy SQLite Transactional Modes") has us switch it off and say BEGIN ourselves.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    # What is deleted is overwritten. Of every connection, because a row that moves to another page would else
    # leave a copy behind, which no later deletion finds.
    connection.execute("PRAGMA secure_delete = ON")


def _begin(connection: Connection) -> None:
    synchronous = connection.get_execution_options().get(_SYNCHRONOUS)
    if synchronous is None:
        connection.exec_driver_sql("BEGIN")
    else:
        connection.exec_driver_sql(f"PRAGMA synchronous = {synchronous}")
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _schema_version(engine: Engine) -> str | None:
    """The schema's version, None for an empty file, by plain queries: importing Alembic takes 300 ms.

    Raises:
        LedgerError: Another program's tables are in the file.
    """
    with reading(engine) as connection:
        found = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'")
        tables = set(found.scalars())
        if {"alembic_version", questions.name} <= tables:
            return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    if tables:
        raise LedgerError(
            f"{_path(engine)} is another program's database",
            hint="let ISTHMUS_HOME name a folder of Isthmus's own",
        )
    return None


def _migrate(engine: Engine) -> None:
    # Alembic is needed once in a release's life, and a person who waits for the first token would wait for
    # it too: hence the one import inside a function of this room.
    from isthmus.ledger.migrate import upgrade

    with explained(engine), engine.connect() as connection:
        # WAL is a property of the file and can't be set inside a transaction; the pool's connection begins
        # one by itself, the driver's doesn't.
        _log_ahead(connection.connection.driver_connection)
    with writing(engine) as connection:
        upgrade(connection)


def _log_ahead(driver: Any) -> None:
    """Switch to WAL. Where two processes do so at once SQLite lets one fail without waiting."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            driver.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


# ---------------------------------------------------------------- errors


def _explain(error: SQLAlchemyError | sqlite3.Error, path: Path) -> IsthmusError:
    cause = error.orig if isinstance(error, DBAPIError) else error
    # The low byte is the primary code, the rest refines it: https://www.sqlite.org/rescode.html
    code = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    match code:
        case sqlite3.SQLITE_FULL:
            return StorageError(
                f"the disk is full, so the ledger {path} can't grow", hint=f"df -h {path.parent}"
            )
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return StorageError(
                f"the ledger {path} can't be opened or written: {cause}",
                hint=_writable(path.parent, path),
            )
        case sqlite3.SQLITE_IOERR:
            return StorageError(
                f"the disk fails under the ledger {path}: {cause}", hint=f"df -h {path.parent}"
            )
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return LedgerError(
                f"the ledger {path} is damaged: {cause}",
                hint=f"restore a backup, or begin anew: mv {path} {path}.damaged",
            )
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return _busy(path)
        case _:
            return LedgerError(f"the ledger {path} refuses: {cause}")


def _busy(path: Path) -> LedgerError:
    return LedgerError(
        f"somebody else writes to the ledger {path} and didn't end within {BUSY_TIMEOUT_S:.0f} s",
        hint=f"fuser -v {path}",
    )


def _writable(*paths: Path) -> str:
    names = " ".join(map(str, paths))
    return f"chmod u+rwX {names}, or let ISTHMUS_HOME name a folder that you can write"


def _path(engine: Engine) -> Path:
    return Path(engine.url.database or "")
