"""How far a run is: a bar a cell on a terminal; elsewhere, a plain line every few seconds."""

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from isthmus.cli import console
from isthmus.cli.amounts import duration
from isthmus.cli.progress import LINE_EVERY_S

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


_ENOUGH = 5
"""Answers after which a rate is worth telling."""


class RunDisplay:
    """Counts answers on stderr, cell by cell."""

    def __init__(self) -> None:
        self._bars = _Bars() if console.stderr().is_interactive else _Lines()

    def __call__(self, label: str, done: int, of: int, errors: int) -> None:
        """Show that ``done`` of ``of`` answers are there, ``errors`` of them errors."""
        self._bars.show(label, done, of, errors)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.close()


def describe(done: int, of: int, errors: int, rate: float | None) -> str:
    """How far, how fast, how long still: ``12 of 100, 2 errors, 31.0 a minute, 2 min left``."""
    parts = [f"{done} of {of}"]
    if errors:
        parts.append(f"{errors} error{'s' if errors > 1 else ''}")
    if rate:
        parts.append(f"{rate * 60:.1f} a minute")
        if done < of:
            parts.append(f"{duration((of - done) / rate)} left")
    return ", ".join(parts)


class _Clock:
    """Answers a second since a label was first shown: they come in bursts, as many as there are slots."""

    def __init__(self) -> None:
        self._begun: dict[str, tuple[float, int]] = {}

    def rate(self, label: str, done: int) -> float | None:
        now = time.monotonic()
        began, before = self._begun.setdefault(label, (now, done))
        return (done - before) / (now - began) if done - before >= _ENOUGH and now > began else None


class _Lines:
    def __init__(self) -> None:
        self._clock = _Clock()
        self._due: dict[str, float] = {}

    def show(self, label: str, done: int, of: int, errors: int) -> None:
        rate, now = self._clock.rate(label, done), time.monotonic()
        if now >= self._due.get(label, now) or done == of:
            self._due[label] = now + LINE_EVERY_S
            console.say(f"{label}: {describe(done, of, errors, rate)}")

    def close(self) -> None:
        pass


class _Bars:
    def __init__(self) -> None:
        self._clock = _Clock()
        self._drawing: Progress | None = None
        self._bars: dict[str, TaskID] = {}

    def show(self, label: str, done: int, of: int, errors: int) -> None:
        drawing = self._drawn()
        if label not in self._bars:
            self._bars[label] = drawing.add_task(console.printable(label), total=of, amounts="")
        amounts = describe(done, of, errors, self._clock.rate(label, done))
        drawing.update(self._bars[label], completed=done, total=of, amounts=amounts)

    def close(self) -> None:
        if self._drawing is not None:
            self._drawing.stop()

    def _drawn(self) -> "Progress":
        if self._drawing is None:
            from rich.progress import BarColumn, Progress, TextColumn

            self._drawing = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=30, complete_style="cyan", finished_style="cyan"),
                TextColumn("{task.fields[amounts]}", markup=False),
                console=console.stderr(),
            )
            self._drawing.start()
        return self._drawing
