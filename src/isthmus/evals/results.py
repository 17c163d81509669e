"""What came of a run: one result for each problem, attempt and subject."""

from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from isthmus.evals.plans import Cell
from isthmus.evals.spending import Spent

Outcome: TypeAlias = Literal["right", "wrong", "error"]
"""``error``: nobody knows whether it would have been right, because something failed."""


class Result(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One attempt at one problem.

    ``extracted`` is what the answer was taken to say, ``why`` the judgement's reason or the error, ``stop``
    why the model ended (``max_tokens``: it was cut off). ``seconds`` is wall time, waiting included.
    """

    cell: str
    problem: str
    attempt: int
    outcome: Outcome
    cluster: str | None = None
    question: str = ""
    gold: str = ""
    answer: str = ""
    extracted: str | None = None
    why: str = ""
    stop: str = ""
    seconds: float = 0.0
    spent: Spent = Spent()

    @property
    def key(self) -> tuple[str, int]:
        """Which problem, which attempt."""
        return self.problem, self.attempt

    @property
    def handed_over(self) -> bool:
        """Whether a hosted model gave any of it."""
        return self.spent.hosted > 0


def by_problem(results: Sequence[Result]) -> dict[str, list[Result]]:
    """A cell's results that are known to be right or wrong, problem by problem."""
    found: dict[str, list[Result]] = {}
    for each in results:
        if each.outcome != "error":
            found.setdefault(each.problem, []).append(each)
    return found


def of_cell(results: Iterable[Result], cell: Cell) -> list[Result]:
    """A cell's results."""
    return [each for each in results if each.cell == cell.slug]
