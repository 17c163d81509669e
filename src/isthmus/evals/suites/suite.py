"""What a suite is: where its problems come from, and what runs and judges them."""

from collections.abc import Callable, Iterable
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, cast

from msgspec import Struct

from isthmus.errors import UsageError
from isthmus.evals.problems import Problem
from isthmus.naming import closest

GROUP = "isthmus.suites"


class Published(Struct, frozen=True):
    """A file that a suite was published as. ``sha256`` is None where nobody has vouched for one."""

    name: str
    url: str
    sha256: str | None = None


class Suite(Struct, frozen=True, kw_only=True):
    """A suite of problems; the problems themselves are read from files that the product doesn't ship.

    ``task`` and ``check`` name functions as ``module:function``, imported when a run begins. The first,
    ``(suite, dataset, terms) -> inspect_ai.Task``, is what Inspect runs: a suite with a solver, a sandbox or
    tools of its own brings its own. The second, ``async (problem, answer, judge) -> Verdict``, says whether
    an answer is right; ``isthmus bench gold`` asks it about each problem's solution, and about an empty one.
    """

    name: str
    summary: str
    read: Callable[[Path], Iterable[Problem]]
    """The problems of a file or folder, in its order."""
    beside: Callable[[Path], Path] | None = None
    """A second file that a file's problems are read from: both make the hash."""
    published: tuple[Published, ...] = ()
    task: str = "isthmus.evals.tasks:answering"
    check: str = "isthmus.evals.grading:check"
    bundled: Path | None = None
    """The data where none are named: a suite that comes with its problems."""
    runs_code: bool = False
    """Whether code that a model wrote is run, which needs a sandbox."""


@cache
def suites() -> dict[str, Suite]:
    """All that are registered, by name."""
    found = {entry.name: cast("Suite", entry.load()) for entry in entry_points(group=GROUP)}
    return dict(sorted(found.items()))


def suite_named(name: str) -> Suite:
    """The suite of that name.

    Raises:
        UsageError: There is none.
    """
    known = suites()
    if name not in known:
        near = closest(name, known)
        raise UsageError(
            f"there is no suite {name!r}; known are {', '.join(known)}",
            hint=f"isthmus bench run {near}" if near else "a file of your own: isthmus bench run tasks.jsonl",
        )
    return known[name]


def function_of(target: str) -> Callable[..., Any]:
    """The function that ``module:function`` names."""
    module, _, name = target.partition(":")
    return cast("Callable[..., Any]", getattr(import_module(module), name))
