"""A suite's problems from a file or folder whose hash is known: two runs are of the same questions."""

import gzip
import hashlib
import re
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from isthmus.errors import DigestMismatch, UsageError
from isthmus.evals.problems import Problem
from isthmus.evals.suites import Suite, suite_named

_CHUNK = 1 << 20
_ROWS = re.compile(r"(\d*):(\d*)")
_OWN = "own"


class Source(Struct, frozen=True, omit_defaults=True):
    """Which problems: those of a suite's file, all of them or those of the rows ``start`` to ``stop``.

    ``sha256`` is of the content: packing it (.gz) makes no other file of it. Of several files, a folder's or
    two that belong together, it is of their names and hashes.
    """

    suite: str
    path: str
    sha256: str
    start: int = 0
    stop: int | None = None

    @property
    def name(self) -> str:
        """As reports call it: the suite, and one's own by its file."""
        return (
            Path(self.path).name.removesuffix(".gz").removesuffix(".jsonl")
            if self.suite == _OWN
            else self.suite
        )

    @property
    def rows(self) -> str:
        """As reports call its rows; nothing where it is all of them."""
        whole = self.start == 0 and self.stop is None
        return "" if whole else f" rows {self.start}:{'' if self.stop is None else self.stop}"


class Dataset(NamedTuple):
    """A suite's problems, and where they came from."""

    suite: Suite
    source: Source
    problems: tuple[Problem, ...]

    @property
    def runs_code(self) -> bool:
        """Whether judging runs what a model wrote."""
        return self.suite.runs_code or any(each.grade == "code" for each in self.problems)


def locate(named: str, path: Path | None, sha256: str | None = None, rows: str | None = None) -> Source:
    """The source that a command names, checked by its hash.

    Args:
        named: A suite, or the path of a file of one's own.
        path: The suite's data.
        sha256: The hash that it has, where it isn't one of the published files.
        rows: ``100:200``, as Python slices; all by default.

    Raises:
        UsageError: There is no such suite or file, or no such rows.
        DigestMismatch: The file is not the one that it should be.
    """
    suite, path = _suite_and_path(named, path)
    digests = digests_of(path, suite)
    _check_digest(suite, path, digests, sha256)
    start, stop = _bounds(rows)
    return Source(suite.name, str(path.resolve()), digests[-1], start, stop)


def load(source: Source) -> Dataset:
    """The problems of a source.

    Raises:
        UsageError: The file can't be read, a row of it isn't as it should be, or no problem is left.
        DigestMismatch: It has changed.
    """
    suite, path = suite_named(source.suite), Path(source.path)
    found = digests_of(path, suite)[-1]
    if found != source.sha256:
        raise DigestMismatch(
            f"{path} has changed: its SHA-256 was {source.sha256}, and is {found}",
            hint="a changed file is another benchmark: run it under another name",
        )
    problems = tuple(suite.read(path))[source.start : source.stop]
    if not problems:
        raise UsageError(f"{path} has no problems in rows {source.start}:{source.stop or ''}")
    return Dataset(suite, source, problems)


def digests_of(path: Path, suite: Suite | None = None) -> tuple[str, ...]:
    """SHA-256 of a file as it lies there and, last, of its content; of a folder's names and files.

    Args:
        path: The file or folder.
        suite: Whose it is: one with two files that belong together has one hash of both.

    Raises:
        UsageError: It can't be read.
    """
    try:
        if path.is_dir():
            return (_digest_of_all(path, path.rglob("*")),)
        if suite is not None and suite.beside is not None:
            return (_digest_of_all(path.parent, (path, suite.beside(path))),)
        with path.open("rb") as file:
            raw = hashlib.file_digest(file, "sha256").hexdigest()
        if path.suffix != ".gz":
            return (raw,)
        with gzip.open(path) as content:
            unpacked = hashlib.sha256()
            while chunk := content.read(_CHUNK):
                unpacked.update(chunk)
        return raw, unpacked.hexdigest()
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"{path} can't be read: {error}", hint=f"ls -l {path}") from error


def _digest_of_all(folder: Path, some: Iterable[Path]) -> str:
    whole = hashlib.sha256()
    for file in sorted(each for each in some if each.is_file()):
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        whole.update(f"{file.relative_to(folder).as_posix()}\0{digest}\n".encode())
    return whole.hexdigest()


def _suite_and_path(named: str, path: Path | None) -> tuple[Suite, Path]:
    if path is None and (own := Path(named)).is_file():
        return suite_named(_OWN), own
    suite = suite_named(named)
    path = path or suite.bundled
    if path is None:
        file = suite.published[0] if suite.published else None
        where = f"; it is published as {file.name} at {file.url}" if file else ""
        raise UsageError(
            f"{suite.name} needs its data{where}",
            hint=f"isthmus bench run {suite.name} --data {file.name if file else 'PATH'}",
        )
    if not path.exists():
        raise UsageError(f"there is no {path}", hint=f"ls {path.parent}")
    return suite, path


def _check_digest(suite: Suite, path: Path, found: tuple[str, ...], wanted: str | None) -> None:
    if wanted is not None:
        if wanted.lower() not in found:
            raise DigestMismatch(
                f"{path} is not the file that was asked for: its SHA-256 is {found[-1]}",
                hint=f"sha256sum {path}",
            )
        return
    known = [each for each in suite.published if each.sha256 is not None]
    if known and not any(each.sha256 in found for each in known):
        names = " or ".join(each.name for each in known)
        raise DigestMismatch(
            f"{path} is not {names} as published: its SHA-256 is {found[-1]}",
            hint=f"--sha256 {found[-1]} runs it all the same",
        )


def _bounds(rows: str | None) -> tuple[int, int | None]:
    if rows is None:
        return 0, None
    match = _ROWS.fullmatch(rows)
    if match is None:
        raise UsageError(f"{rows!r} is no range of rows", hint="--rows 100:200")
    start, stop = int(match[1] or 0), int(match[2]) if match[2] else None
    if stop is not None and stop <= start:
        raise UsageError(f"rows {rows} are none", hint="--rows 100:200")
    return start, stop
