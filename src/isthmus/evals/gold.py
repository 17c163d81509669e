"""Whether a suite can tell right from wrong: its own solutions must pass, and an empty answer must not."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias, cast

import anyio
from msgspec import Struct

from isthmus.errors import IsthmusError
from isthmus.evals.data import Dataset
from isthmus.evals.problems import Answer, Problem
from isthmus.evals.suites import function_of
from isthmus.messages import ToolCall
from isthmus.scoring import Verdict

OnProven: TypeAlias = Callable[[int, int], None]
"""Told how many problems are proven, and how many of them are bad."""

_Check: TypeAlias = Callable[[Problem, Answer, None], Awaitable[Verdict]]
_AT_ONCE = 2


class Gold(Struct, frozen=True):
    """One problem's proof.

    ``solution`` is None where the problem has none that is known; ``why`` says what is wrong with it.
    """

    problem: str
    solution: bool | None
    empty: bool
    why: str = ""

    @property
    def good(self) -> bool:
        """Whether it tells right from wrong, as far as is known."""
        return self.solution is not False and not self.empty


async def prove(dataset: Dataset, on_proven: OnProven) -> list[Gold]:
    """Judge each problem's solution, and an empty answer.

    Problems that only a model can judge are left out.
    """
    check = cast("_Check", function_of(dataset.suite.check))
    problems = [each for each in dataset.problems if each.grade != "judge"]
    found: dict[str, Gold] = {}
    limiter = anyio.Semaphore(_AT_ONCE)

    async def one(problem: Problem) -> None:
        async with limiter:
            found[problem.id] = await _proof(problem, check)
        on_proven(len(found), sum(not each.good for each in found.values()))

    async with anyio.create_task_group() as group:
        for problem in problems:
            group.start_soon(one, problem)
    return [found[each.id] for each in problems]


async def _proof(problem: Problem, check: _Check) -> Gold:
    try:
        empty = await check(problem, Answer(""), None)
        if (solution := _solution(problem)) is None:
            return Gold(problem.id, None, empty.right, "an empty answer passes" if empty.right else "")
        full = await check(problem, solution, None)
    except IsthmusError as error:
        return Gold(problem.id, solution=False, empty=False, why=error.message)
    why = "an empty answer passes" if empty.right else "" if full.right else f"its solution fails: {full.why}"
    return Gold(problem.id, full.right, empty.right, why)


def _solution(problem: Problem) -> Answer | None:
    """The answer that is known to be right; where calls are, the first accepted value of each argument."""
    if problem.solution is not None:
        return Answer(problem.solution)
    if not problem.calls:
        return None
    return Answer("", tuple(_call(problem, number) for number in range(len(problem.calls))))


def _call(problem: Problem, number: int) -> ToolCall:
    wanted = problem.calls[number]
    return ToolCall(f"call_{number}", wanted.name, json.dumps(_first(wanted.arguments)))


def _first(accepted: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """The first accepted value of each name, without what may be left out."""
    return {name: _plain(values[0]) for name, values in accepted.items() if values[0] not in (None, "")}


def _plain(value: Any) -> Any:
    """A value without alternatives: an object has a list of accepted values for each name, at any depth."""
    if isinstance(value, Mapping):
        return _first(cast("Mapping[str, Sequence[Any]]", value))
    if isinstance(value, list | tuple):
        return [_plain(each) for each in cast("Sequence[Any]", value)]
    return value
