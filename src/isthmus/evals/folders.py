"""A run's folder: its plan, what it was measured with, Inspect's logs, the results and the report.

plan.json       what is measured
facts.json      machine and versions, the command, how many problems each cell has
logs/CELL/      Inspect's logs: `inspect view --log-dir logs` opens them
sittings.jsonl  how long was spent, and for how much of it a model was at work
results.jsonl   one line for each problem, attempt and subject
report.json, report.md, report.html
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from isthmus.errors import UsageError
from isthmus.evals.plans import Cell, Plan
from isthmus.evals.results import Result
from isthmus.evals.summary import Report

Noun = TypeVar("Noun")

_PLAN, _FACTS, _SITTINGS, _RESULTS = "plan.json", "facts.json", "sittings.jsonl", "results.jsonl"
_REPORT = "report.json"


class Facts(Struct, frozen=True):
    """What a run was measured with; ``sizes`` says how many problems each cell has, by its slug."""

    command: str
    environment: dict[str, str]
    sizes: dict[str, int]


class Sitting(Struct, frozen=True):
    """One sitting at a cell: how long it took, and for how much of that a model was at work."""

    cell: str
    answers: int
    wall_s: float
    busy_s: float


class RunFolder:
    """The folder of one run.

    Args:
        path: Where it is, or will be.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        """The run's name."""
        return self.path.name

    def begin(self, plan: Plan, facts: Facts) -> None:
        """Begin a run, or go on with it.

        Raises:
            UsageError: The folder is another run's.
        """
        if (self.path / _PLAN).exists() and self.plan() != plan:
            raise UsageError(f"{self.path} holds a run of something else", hint="--into ANOTHER_FOLDER")
        self.path.mkdir(parents=True, exist_ok=True)
        self._write(_PLAN, plan)
        self._write(_FACTS, facts)

    def plan(self) -> Plan:
        """What is measured.

        Raises:
            UsageError: There is no run here.
        """
        return self._read(_PLAN, Plan)

    def facts(self) -> Facts:
        """What it was measured with.

        Raises:
            UsageError: There is no run here.
        """
        return self._read(_FACTS, Facts)

    def logs(self, cell: Cell) -> Path:
        """The folder of a cell's logs."""
        return self.path / "logs" / cell.slug

    def add_sitting(self, sitting: Sitting) -> None:
        """Note how long a sitting took."""
        with (self.path / _SITTINGS).open("ab") as file:
            file.write(msgspec.json.encode(sitting) + b"\n")

    def overhead(self) -> float | None:
        """The share of all sittings' time during which no model was at work; None where there was none."""
        found = list(self._lines(_SITTINGS, Sitting))
        wall_s = sum(each.wall_s for each in found)
        return 1 - sum(each.busy_s for each in found) / wall_s if wall_s else None

    def save_results(self, results: Iterable[Result]) -> None:
        """Keep the results, in place of those before."""
        lines = b"".join(msgspec.json.encode(each, enc_hook=str) + b"\n" for each in results)
        _replace(self.path / _RESULTS, lines)

    def results(self) -> list[Result]:
        """The results as they were last kept.

        Raises:
            UsageError: They can't be read.
        """
        return list(self._lines(_RESULTS, Result))

    def save_report(self, report: Report, **texts: str) -> None:
        """Keep a report, and its other forms by their ending: ``html="<!doctype..."``."""
        self._write(_REPORT, report)
        for ending, text in texts.items():
            _replace(self.path / f"report.{ending}", text.encode())

    def report(self) -> Report:
        """The report as it was last kept.

        Raises:
            UsageError: There is none.
        """
        return self._read(_REPORT, Report)

    def _write(self, name: str, noun: Struct) -> None:
        _replace(self.path / name, msgspec.json.format(msgspec.json.encode(noun), indent=2) + b"\n")

    def _read(self, name: str, shape: type[Noun]) -> Noun:
        try:
            return msgspec.json.decode((self.path / name).read_bytes(), type=shape)
        except (OSError, msgspec.MsgspecError) as error:
            raise UsageError(
                f"{self.path} has no {name} that can be read", hint="isthmus bench list"
            ) from error

    def _lines(self, name: str, shape: type[Noun]) -> Iterator[Noun]:
        path = self.path / name
        try:
            for line in path.read_bytes().splitlines() if path.exists() else ():
                yield msgspec.json.decode(line, type=shape)
        except (OSError, msgspec.MsgspecError) as error:
            raise UsageError(f"{path} can't be read: {error}") from error


def runs(home: Path) -> list[RunFolder]:
    """The runs of a home, the newest first."""
    found = [each.parent for each in (home / "bench").glob(f"*/{_PLAN}")]
    return [RunFolder(each) for each in sorted(found, key=lambda path: -path.stat().st_mtime)]


def run_named(home: Path, name: str | None) -> RunFolder:
    """The run of a name, or in a folder; the newest where none is named.

    Raises:
        UsageError: There is none.
    """
    known = runs(home)
    if name is None:
        if not known:
            raise UsageError("there is no run yet", hint="isthmus bench run gsm8k --data test.jsonl")
        return known[0]
    if (folder := Path(name)).is_dir():
        return RunFolder(folder)
    fitting = [each for each in known if each.name.startswith(name)]
    if len(fitting) != 1:
        several = f"{len(fitting)} runs begin with" if fitting else "there is no run"
        raise UsageError(f"{several} {name!r}", hint="isthmus bench list")
    return fitting[0]


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.part")
    draft.write_bytes(content)
    draft.replace(path)
