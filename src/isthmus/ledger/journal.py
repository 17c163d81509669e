"""Rows on their way into the ledger: gathered for a moment, then committed together.

A commit of its own would cost a question more than all else that is done for it. A crash of the process may
lose the rows of the last moment; money is reserved and settled in durable transactions of its own.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from isthmus.errors import IsthmusError

_GATHER_S = 0.05
"""How long rows are gathered, so that even a busy server commits no more than twenty times a second."""
_RETRY_S = 1.0
_TRIES = 3

_log = logging.getLogger(__name__)


class Named(Protocol):
    """What a row must say of itself."""

    @property
    def id(self) -> str:
        """The question that it is about."""
        ...


Row = TypeVar("Row", bound=Named)


class Journal(Generic[Row]):
    """Writes rows in a thread of its own, which is started by the first one. Any thread may use it.

    Args:
        write: Commits some rows, all or none.
    """

    def __init__(self, write: Callable[[Sequence[Row]], None]) -> None:
        self._write = write
        self._changed = threading.Condition()
        self._rows: list[Row] = []
        self._writing = False
        self._urgent = False
        self._closed = False
        self._thread: threading.Thread | None = None
        self._lost: IsthmusError | None = None

    def add(self, row: Row) -> None:
        """Have a row written, within moments. Takes a few microseconds."""
        with self._changed:
            self._rows.append(row)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
                self._thread.start()
            elif len(self._rows) == 1:
                self._changed.notify_all()

    def flush(self) -> None:
        """Wait until all rows that were added are written, or given up."""
        with self._changed:
            self._urgent = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._rows and not self._writing)
            self._urgent = False

    def close(self) -> None:
        """Write what is left, and end the thread.

        Raises:
            LedgerError: Some row could not be written, now or earlier.
            StorageError: The same, because of the disk.
        """
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._closed = False
        lost, self._lost = self._lost, None
        if lost is not None:
            raise lost

    def _run(self) -> None:
        while rows := self._next():
            self._commit(rows)
            with self._changed:
                self._writing = False
                self._changed.notify_all()

    def _next(self) -> list[Row]:
        """The rows to commit together; none once the journal is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._rows or self._closed)
            self._changed.wait_for(lambda: self._urgent or self._closed, timeout=_GATHER_S)
            rows, self._rows = self._rows, []
            self._writing = bool(rows)
            return rows

    def _commit(self, rows: list[Row]) -> None:
        for left in reversed(range(_TRIES)):
            try:
                self._write(rows)
            except IsthmusError as error:
                _log.warning("%d questions are not recorded yet: %s", len(rows), error)
                if left and not self._closed:
                    time.sleep(_RETRY_S)
            else:
                return
        for row in rows:  # one bad row must not take the others with it
            try:
                self._write([row])
            except IsthmusError as error:
                _log.critical("question %s could not be recorded: %s", row.id, error)
                self._lost = error
