"""Locks between processes: a file that only one of them holds at a time.

The kernel drops a lock with the process that held it, however that process ends, so no lock is ever stale.
The files themselves stay: removing one would let two processes hold "the same" lock on different files.
"""

import fcntl
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from io import FileIO
from pathlib import Path

import anyio

from isthmus.store.disk import storage_errors

_POLL_S = 0.2


@contextmanager
def exclusive(path: Path) -> Generator[None]:
    """Hold the lock for a short piece of work; blocks until it is free.

    Raises:
        StorageError: The lock file can't be made.
    """
    with _lock_file(path) as file:
        with storage_errors(path):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def exclusive_now(path: Path) -> Generator[bool]:
    """Hold the lock if it is free at this moment; gives whether it is held.

    Raises:
        StorageError: The lock file can't be made.
    """
    with _lock_file(path) as file:
        yield _try_lock(file, path)


@asynccontextmanager
async def exclusive_async(path: Path, while_waiting: Callable[[], None]) -> AsyncGenerator[None]:
    """Hold the lock for long work; ``while_waiting`` is called again and again until it is free.

    Raises:
        StorageError: The lock file can't be made.
    """
    with _lock_file(path) as file:
        while not _try_lock(file, path):
            while_waiting()
            await anyio.sleep(_POLL_S)
        yield


def _try_lock(file: FileIO, path: Path) -> bool:
    with storage_errors(path):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _lock_file(path: Path) -> FileIO:
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("ab", buffering=0)
