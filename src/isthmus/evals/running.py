"""Carrying a plan out: each cell is an eval set of Inspect's, which goes on where it stopped.

Needs the extra ``evals``.
"""

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import rich
from inspect_ai import eval_set  # pyright: ignore[reportUnknownVariableType]
from inspect_ai.hooks import Hooks, SampleEnd, hooks
from inspect_ai.model import GenerateConfig, Model, get_model

from isthmus.evals.data import Dataset, Source
from isthmus.evals.folders import RunFolder, Sitting
from isthmus.evals.logs import answered, was_stopped
from isthmus.evals.plans import Cell, Plan
from isthmus.evals.tasks import task_of
from isthmus.evals.work import AT_WORK

OnDone: TypeAlias = Callable[[Cell, int, int], None]
"""Told at first and after each answer how many a cell has, and how many of this sitting are errors."""


def run(plan: Plan, folder: RunFolder, datasets: Mapping[Source, Dataset], on_done: OnDone) -> None:
    """Answer what isn't answered yet.

    Args:
        plan: What to measure.
        folder: The run's, begun with this plan.
        datasets: The problems of each source.
        on_done: Told of each answer.

    Raises:
        IsthmusError: A model can't be had as the plan wants it.
        KeyboardInterrupt: The person has stopped it; what is answered is kept.
    """
    for cell in plan.cells:
        began, worked = time.monotonic(), AT_WORK.seconds
        counter = _Counter(cell, on_done, answered(folder.logs(cell)))
        with quietly(), _listening(counter):
            model = _model(cell)
            _answer(plan, cell, datasets[cell.source], model, folder.logs(cell))
        if counter.new:
            wall_s = time.monotonic() - began
            folder.add_sitting(Sitting(cell.slug, counter.new, wall_s, AT_WORK.seconds - worked))


def _answer(plan: Plan, cell: Cell, dataset: Dataset, model: Model, folder: Path) -> None:
    slots = model.api.max_connections()
    eval_set(
        task_of(dataset, plan.terms),
        log_dir=str(folder),
        model=model,
        display="none",
        score_display=False,
        retry_attempts=0,
        retry_immediate=False,
        fail_on_error=True,
        continue_on_fail=True,
        max_samples=slots,
        max_connections=slots,
        adaptive_connections=False,
        log_buffer=1,
        log_realtime=False,
        ctl_server=False,
        tags=[cell.subject.label],
    )
    if was_stopped(folder):  # Inspect takes a Ctrl-C for an end like any other
        raise KeyboardInterrupt


@contextmanager
def quietly() -> Generator[None]:
    """Inspect greets on stdout, which is for data."""
    console = rich.get_console()
    quiet, console.quiet = console.quiet, True
    try:
        yield
    finally:
        console.quiet = quiet


def _model(cell: Cell) -> Model:
    subject = cell.subject
    return get_model(
        f"isthmus/{subject.model}",
        config=GenerateConfig(reasoning_effort=subject.effort),
        memoize=False,
        handoff=subject.handoff,
    )


# ---------------------------------------------------------------- watching


class _Counter:
    def __init__(self, cell: Cell, on_done: OnDone, before: int) -> None:
        self.new = self.errors = 0
        self._cell, self._on_done, self._before = cell, on_done, before
        self._tell()

    def add(self, *, error: bool) -> None:
        self.new += 1
        self.errors += error
        self._tell()

    def _tell(self) -> None:
        self._on_done(self._cell, self._before + self.new, self.errors)


_listeners: list[_Counter] = []


@contextmanager
def _listening(counter: _Counter) -> Generator[None]:
    _listeners.append(counter)
    try:
        yield
    finally:
        _listeners.remove(counter)


@hooks("isthmus_progress", "Tells a run of Isthmus's how far it is.")  # pyright: ignore[reportUntypedClassDecorator]
class Watching(Hooks):
    """Tells of each sample that has ended."""

    async def on_sample_end(self, data: SampleEnd) -> None:
        """Tell of it."""
        for each in _listeners:
            each.add(error=data.sample.error is not None)
