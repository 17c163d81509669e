"""A file that is being fetched: bytes in any order, from anywhere, and none lost that were on the disk.

    X.part            as long as the whole file from the beginning, with holes where bytes are missing
    X.part.journal    which stretches are there: a line each, with a checksum

A line is written only once its bytes are on the disk itself, and a journal that no longer holds is replaced
there before other bytes are written. So a kill, or a power failure, at any moment loses the last seconds of
work at most, and never makes a byte count as there that isn't.
"""

import os
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

from isthmus.errors import DigestMismatch
from isthmus.store.disk import storage_errors, sync_folder, write_atomically
from isthmus.store.stretches import Stretch, Stretches


class Part:
    """Weights whose length is known, and which of their bytes are there.

    ``inherited`` says that some were before the present attempt, and so may be another's fault. Bytes may be
    written by several threads at once, and by one process.

    Args:
        path: Where the bytes are collected.
        total: The length of the whole file.
        on_bytes: Told how many bytes there are.
    """

    def __init__(self, path: Path, total: int, on_bytes: Callable[[int], None]) -> None:
        self.path = path
        self.total = total
        self._on_bytes = on_bytes
        self._lock = threading.Lock()
        self._unwritten = Stretches()
        """Stretches that the journal doesn't have yet."""
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            # A link that someone put there would send the bytes elsewhere.
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._file = os.fdopen(os.open(path, flags, 0o644), "r+b", buffering=0)
        try:
            whole = os.fstat(self._file.fileno()).st_size == total
            self._there = _read_journal(path, total) if whole else Stretches()
            self._journal = self._new_journal()
        except BaseException:
            self._file.close()
            raise
        self.inherited = bool(self._there)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.commit()
        finally:
            self._file.close()
            self._journal.close()
            if not self._there:
                self.path.unlink(missing_ok=True)
            if not self.path.exists():  # nothing came, or all of it and it has been moved to its place
                journal_path(self.path).unlink(missing_ok=True)

    # ------------------------------------------------------------ what is there

    @property
    def done_bytes(self) -> int:
        """How many bytes are there."""
        with self._lock:
            return self._there.total

    @property
    def complete(self) -> bool:
        """Whether all are."""
        return self.holds(0, self.total)

    def holds(self, start: int, end: int) -> bool:
        """Whether all the bytes from ``start`` up to ``end`` are there."""
        with self._lock:
            return self._there.holds(start, end)

    def gaps(self) -> list[Stretch]:
        """What is missing, in order."""
        with self._lock:
            return list(self._there.gaps(0, self.total))

    # ------------------------------------------------------------ writing

    def write(self, start: int, content: bytes | bytearray) -> None:
        """Put bytes in their place.

        Raises:
            DigestMismatch: They go beyond the file's end.
            StorageError: The disk is full.
        """
        if start + len(content) > self.total:
            raise DigestMismatch(f"it sends more than the {self.total:,} bytes that were promised")
        rest, position = memoryview(content), start
        while rest:
            with storage_errors(self.path):
                written = os.pwrite(self._file.fileno(), rest, position)
            with self._lock:
                self._there.add(position, position + written)
                self._unwritten.add(position, position + written)
            position += written
            rest = rest[written:]

    def forget(self, start: int, end: int) -> None:
        """Count the bytes from ``start`` up to ``end`` as missing, because they are wrong.

        Raises:
            StorageError: The disk can't be written.
        """
        with self._lock:
            self._there.remove(start, end)
            self._unwritten = Stretches()
        self._journal.close()
        self._journal = self._new_journal()
        self.inherited = self.inherited and bool(self._there)

    def discard(self) -> None:
        """Start over."""
        self.forget(0, self.total)

    def begin_attempt(self) -> None:
        """Whatever is here by now, a new attempt inherits."""
        self.inherited = bool(self._there)

    def commit(self) -> None:
        """Have the bytes written so far on the disk itself, and then say so in the journal.

        Raises:
            StorageError: The disk can't be written.
        """
        with self._lock:
            fresh, self._unwritten = self._unwritten, Stretches()
        if fresh:
            with storage_errors(self.path):
                os.fsync(self._file.fileno())
                self._journal.write(b"".join(map(_line, fresh)))

    def show(self, done_bytes: int | None = None) -> None:
        """Say how far the work has come; a source may count bytes that it has but not yet written."""
        self._on_bytes(self.done_bytes if done_bytes is None else done_bytes)

    def _new_journal(self) -> FileIO:
        """Replace the journal, for good, by one of what is there; only then make holes of the rest."""
        journal = journal_path(self.path)
        write_atomically(journal, b"".join(map(_line, (_head(self.total), *self._there))))
        sync_folder(journal.parent)
        with storage_errors(self.path):
            if not self._there:
                self._file.truncate(0)
            self._file.truncate(self.total)
            os.fsync(self._file.fileno())
            return journal.open("ab", buffering=0)


def journal_path(path: Path) -> Path:
    """The journal of the part at ``path``."""
    return path.with_name(f"{path.name}.journal")


def fetched_bytes(path: Path) -> int:
    """How many bytes another process has fetched into the part at ``path``, by its journal."""
    with suppress(OSError):
        return sum(end - start for start, end in _lines(journal_path(path).read_bytes()) if start >= 0)
    return 0


# ---------------------------------------------------------------- the journal


def _head(total: int) -> Stretch:
    """What stands in the first line, in place of a stretch."""
    return Stretch(-1, total)


def _line(stretch: Stretch) -> bytes:
    text = b"%d %d" % stretch
    return b"%s %08x\n" % (text, zlib.crc32(text))


def _lines(content: bytes) -> Iterator[Stretch]:
    """The lines of a journal up to the first that is damaged: a kill may have torn it."""
    for line in content.splitlines(keepends=True):
        text, _, _ = line.rpartition(b" ")
        start, _, end = text.partition(b" ")
        try:
            stretch = Stretch(int(start), int(end))
        except ValueError:
            return
        if line != _line(stretch):
            return
        yield stretch


def _read_journal(path: Path, total: int) -> Stretches:
    """What is there of a file of that length; nothing, where the journal is of another or can't be read."""
    try:
        lines = _lines(journal_path(path).read_bytes())
    except OSError:
        return Stretches()
    if next(lines, None) != _head(total):
        return Stretches()
    return Stretches(stretch for stretch in lines if 0 <= stretch.start < stretch.end <= total)
