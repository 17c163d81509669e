"""A run's outcomes as they come: each is on the disk before the next prompt counts on it.

A kill at any point leaves whole lines and, at most, a torn last one, which is asked again. A file goes on
only with exactly what it was begun with.
"""

import os
from collections.abc import Collection
from pathlib import Path

import msgspec

from isthmus.errors import GateError, GateRefused
from isthmus.gate.runs import Outcome, RunHeader, Sample, read_run, to_bytes, worst
from isthmus.store.disk import storage_errors, write_atomically


class Outcomes:
    """The file of a run that is under way.

    Args:
        path: Where it is, or will be.
        header: What is run on what.

    Raises:
        GateRefused: It was begun with something else.
        GateError: It can't be read.
        StorageError: It can't be written.
    """

    def __init__(self, path: Path, header: RunHeader) -> None:
        self.path = path
        self.header = header
        self._found: dict[tuple[str, int], Outcome] = {}
        kept = self._whole_lines()
        if kept:
            self._go_on(kept)
        else:
            with storage_errors(path):
                path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, to_bytes(header, ()))

    def __contains__(self, each: tuple[str, int]) -> bool:
        """Whether a prompt's sample has its outcome."""
        return each in self._found

    def __len__(self) -> int:
        return len(self._found)

    @property
    def samples(self) -> list[Sample]:
        """What was found, in the order of coming."""
        return [Sample(prompt, outcome, sample) for (prompt, sample), outcome in self._found.items()]

    @property
    def by_prompt(self) -> dict[str, Outcome]:
        """Each prompt's outcome: the worst of its samples'."""
        return worst(self.samples)

    @property
    def errors(self) -> int:
        """How many samples have no usable answer."""
        return sum(each in ("error", "unparsed") for each in self._found.values())

    @property
    def content(self) -> bytes:
        """The file, as it is recorded."""
        return to_bytes(self.header, self.samples)

    def add(self, sample: Sample) -> None:
        """Keep an outcome, on the disk itself.

        Raises:
            StorageError: It can't be written.
        """
        with storage_errors(self.path), self.path.open("ab") as file:
            file.write(msgspec.json.encode(sample) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._found[sample.prompt, sample.sample] = sample.outcome

    def forget(self, outcomes: Collection[Outcome]) -> int:
        """Leave out what had one of these outcomes, so that it is asked again; gives how many.

        Raises:
            StorageError: It can't be written.
        """
        kept: dict[tuple[str, int], Outcome] = {
            each: outcome for each, outcome in self._found.items() if outcome not in outcomes
        }
        gone, self._found = len(self._found) - len(kept), kept
        if gone:
            write_atomically(self.path, self.content)
        return gone

    def _whole_lines(self) -> bytes:
        """What the file holds up to its last whole line; a torn one is cut off."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise GateError(f"{self.path} can't be read: {(error.strerror or '').lower()}") from error
        kept = content[: content.rfind(b"\n") + 1]
        if len(kept) < len(content):
            write_atomically(self.path, kept)
        return kept

    def _go_on(self, kept: bytes) -> None:
        head, _, rest = kept.partition(b"\n")
        begun = _header(head, self.path)
        if begun != self.header:
            others = [name for name in RunHeader.__struct_fields__ if _differs(begun, self.header, name)]
            raise GateRefused(
                f"{self.path.name} was begun with other {' and '.join(others)}, and can't go on with these",
                hint="another --run begins anew",
            )
        if rest.strip():
            lines = [msgspec.json.decode(line, type=Sample) for line in _checked(kept, self.path)]
            self._found = {(each.prompt, each.sample): each.outcome for each in lines}


def _header(line: bytes, path: Path) -> RunHeader:
    try:
        return msgspec.json.decode(line, type=RunHeader)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise GateError(f"{path} can't be read: {error}", hint=f"rm {path}") from error


def _checked(content: bytes, path: Path) -> list[bytes]:
    """The lines of a run's samples, once it was read as a run is."""
    try:
        read_run(content)
    except GateError as error:
        raise GateError(f"{path} can't be gone on with: {error}", hint=f"rm {path}") from error
    return [line for line in content.splitlines()[1:] if line.strip()]


def _differs(one: RunHeader, other: RunHeader, name: str) -> bool:
    return bool(getattr(one, name) != getattr(other, name))
