"""Long work, shown: a bar on a terminal; elsewhere, a plain line every few seconds.

Amounts are bytes, except where the total is 1: then they are a fraction of the work.
"""

import math
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from isthmus.cli import console
from isthmus.cli.amounts import duration, size
from isthmus.messages import Progress

if TYPE_CHECKING:
    from rich.progress import TaskID

Clock = Callable[[], float]

LINE_EVERY_S = 5.0
RATE_WINDOW_S = 8.0


class ProgressDisplay:
    """Shows `Progress` events on stderr. Nothing is loaded or drawn before the first one.

    It is a context manager, and ``close`` makes room for what comes next; a later event opens it again.
    """

    def __init__(self) -> None:
        self._shown: Bars | Lines | None = None

    def __call__(self, progress: Progress) -> None:
        """Show how far the work has come."""
        if self._shown is None:
            self._shown = Bars() if console.stderr().is_interactive else Lines()
        self._shown(progress)

    def close(self) -> None:
        """Wipe the bars away."""
        if isinstance(self._shown, Bars):
            self._shown.close()
        self._shown = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Meter:
    """How fast work goes: amounts a second over the last few seconds."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._samples: deque[tuple[float, float]] = deque()

    def add(self, done: float) -> None:
        """Take note of how much is done by now."""
        now = self._clock()
        if self._samples and done < self._samples[-1][1]:
            self._samples.clear()  # it began anew
        self._samples.append((now, done))
        while len(self._samples) > 2 and now - self._samples[0][0] > RATE_WINDOW_S:
            self._samples.popleft()

    @property
    def rate(self) -> float | None:
        """Amounts a second, or None while there is too little to tell."""
        if not self._samples:
            return None
        (start, before), (end, now) = self._samples[0], self._samples[-1]
        return (now - before) / (end - start) if end > start and now > before else None


def describe(progress: Progress, rate: float | None) -> str:
    """How far, how fast, how long still: ``120.0 MB of 491.4 MB, 12.3 MB/s, 30.2 s left``."""
    done, total = progress.done, progress.total
    if total == 1:
        return f"{done:.0%}"
    parts = [f"{size(done)} of {size(total)}" if total else size(done)]
    if rate:
        parts.append(f"{size(rate)}/s")
        if total and done < total:
            parts.append(f"{duration((total - done) / rate)} left")
    return ", ".join(parts)


class Lines:
    """Progress in plain lines, for logs and pipes: one at once, then every few seconds, then the last."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._meters: dict[str, Meter] = {}
        self._due: dict[str, float] = {}

    def __call__(self, progress: Progress) -> None:
        """Say how far the work has come, unless that was said a moment ago."""
        label, now = progress.label, self._clock()
        meter = self._meters.setdefault(label, Meter(self._clock))
        meter.add(progress.done)
        due = self._due.get(label, now)
        whole = progress.total is not None and progress.done >= progress.total
        if due == math.inf or (now < due and not whole):
            return
        self._due[label] = math.inf if whole else now + LINE_EVERY_S
        console.say(f"{label}: {describe(progress, meter.rate)}")


class Bars:
    """Progress as a bar a label, drawn at the bottom of a terminal."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Drawing

        self._clock = clock
        self._drawing = Drawing(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30, complete_style="cyan", finished_style="cyan"),
            TextColumn("{task.fields[amounts]}", markup=False),
            console=console.stderr(),
            transient=True,
        )
        self._bars: dict[str, tuple[TaskID, Meter]] = {}

    def __call__(self, progress: Progress) -> None:
        """Draw how far the work has come."""
        self._drawing.start()
        if progress.label not in self._bars:
            bar = self._drawing.add_task(console.printable(progress.label), total=None, amounts="")
            self._bars[progress.label] = bar, Meter(self._clock)
        bar, meter = self._bars[progress.label]
        meter.add(progress.done)
        self._drawing.update(
            bar, completed=progress.done, total=progress.total, amounts=describe(progress, meter.rate)
        )

    def close(self) -> None:
        """Wipe the bars away."""
        self._drawing.stop()
