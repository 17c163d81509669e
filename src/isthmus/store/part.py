"""The beginning of a file that is being fetched: it outlives a kill, and any source may go on with it."""

import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from isthmus.errors import DigestMismatch
from isthmus.store.disk import storage_errors


class Part:
    """The first ``length`` bytes of weights whose length is known, in a file that only grows at its end.

    ``inherited`` is how many of them were there before the present attempt, and so may be another's fault.
    """

    def __init__(self, path: Path, total: int, on_bytes: Callable[[int], None]) -> None:
        self.path = path
        self.total = total
        self._on_bytes = on_bytes
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab", buffering=0)
        self.length = self.inherited = self._file.tell()
        if self.length > total:
            self.truncate(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if not self.length:
            self.path.unlink(missing_ok=True)

    def append(self, content: bytes) -> None:
        """Add bytes at the end.

        Raises:
            DigestMismatch: They are more than the file may have.
            StorageError: The disk is full.
        """
        if self.length + len(content) > self.total:
            raise DigestMismatch(f"it sends more than the {self.total:,} bytes that were promised")
        rest = memoryview(content)
        while rest:
            with storage_errors(self.path):
                written = self._file.write(rest)
            self.length += written
            rest = rest[written:]

    def truncate(self, length: int) -> None:
        """Keep the first ``length`` bytes."""
        with storage_errors(self.path):
            self._file.truncate(length)
        self.length = length
        self.inherited = min(self.inherited, length)

    def begin_attempt(self) -> None:
        """Whatever is here by now, a new attempt inherits."""
        self.inherited = self.length

    def sync(self) -> None:
        """Have all bytes on the disk itself."""
        with storage_errors(self.path):
            os.fsync(self._file.fileno())

    def show(self, done_bytes: int) -> None:
        """Say how far the work has come; a source may count bytes that it has but not yet appended."""
        self._on_bytes(done_bytes)
