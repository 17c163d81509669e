"""A suite of one's own: a JSON-lines file, a problem a line.

{"prompt": "6 times 7?", "answer": "42", "grade": "numeric"}
{"prompt": "Write add(a, b).", "grade": "code", "tests": ["assert add(1, 2) == 3"]}
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from msgspec import Struct

from isthmus.errors import UsageError
from isthmus.evals.problems import CodeTests, ExpectedCall, Grade, Problem
from isthmus.evals.suites.objects import Line, lines_of
from isthmus.evals.suites.suite import Suite
from isthmus.messages import Tool

_LOOK = 'a row: {"prompt": "What is 6 times 7?", "answer": "42", "grade": "numeric"}'


class Row(Struct, frozen=True):
    """A row: what is asked, and what the grade needs to judge an answer.

    ``calls`` have a name and, for each argument, its value or a list of values that are right.
    """

    prompt: str
    answer: str | float | None = None
    grade: Grade = "exact"
    id: str | int | None = None
    system: str | None = None
    tests: tuple[str, ...] = ()
    setup: str = ""
    schema: dict[str, Any] | None = None
    tools: tuple[Tool, ...] = ()
    calls: tuple[dict[str, Any], ...] = ()
    options: int = 4
    solution: str | None = None
    cluster: str | None = None


def read(path: Path) -> Iterator[Problem]:
    """The problems of a file.

    Raises:
        UsageError: A row can't be judged as it stands, or two have one id.
    """
    seen: set[str] = set()
    for number, line in enumerate(lines_of(path)):
        row = line.as_(Row)
        name = str(number if row.id is None else row.id)
        if name in seen:
            raise UsageError(f"{line.where}: another row has the id {name!r}")
        seen.add(name)
        _check(row, line)
        answer = "" if row.answer is None else _plain(row.answer)
        yield Problem(
            id=name,
            prompt=row.prompt,
            grade=row.grade,
            answer=answer,
            system=row.system,
            options=row.options,
            tests=CodeTests(asserts=row.tests, setup=row.setup) if row.tests else None,
            schema=row.schema,
            tools=row.tools,
            calls=tuple(_expected(each, line) for each in row.calls),
            solution=row.solution if row.solution is not None else _solution(row, answer),
            cluster=row.cluster,
        )


def _check(row: Row, line: Line) -> None:
    missing = {
        "code": ("tests", not row.tests),
        "schema": ("schema", row.schema is None),
        "calls": ("calls", not row.calls),
    }.get(row.grade, ("answer", row.answer is None))
    if not row.prompt.strip():
        missing = ("prompt", True)
    if missing[1]:
        raise UsageError(f"{line.where}: it has no {missing[0]}", hint=_LOOK)


def _expected(call: dict[str, Any], line: Line) -> ExpectedCall:
    name, given = call.get("name"), call.get("arguments", {})
    if not isinstance(name, str) or not isinstance(given, dict):
        raise UsageError(f"{line.where}: a call has a name and arguments", hint=_LOOK)
    arguments = cast("dict[str, Any]", given)
    return ExpectedCall(name, {key: _accepted(each) for key, each in arguments.items()})


def _accepted(value: Any) -> tuple[Any, ...]:
    """A list of values is a choice of them."""
    return tuple(cast("list[Any]", value)) if isinstance(value, list) else (value,)


def _solution(row: Row, answer: str) -> str | None:
    """The answer itself, where it would be judged right as it stands."""
    return answer if row.grade in ("exact", "numeric", "choice") else None


def _plain(answer: str | float) -> str:
    return answer if isinstance(answer, str) else f"{answer:.15g}"


SUITE = Suite(
    name="own",
    summary="A JSON-lines file of your own: exact, regex, numeric, choice, code, schema, calls or judge.",
    read=read,
)
