"""Tool calling: the single-turn files of the Berkeley Function Calling Leaderboard (Patil et al. 2024)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from msgspec import Struct

from isthmus.errors import UsageError
from isthmus.evals.problems import ExpectedCall, Problem
from isthmus.evals.suites.objects import Line, lines_of
from isthmus.evals.suites.suite import Published, Suite
from isthmus.messages import Tool

_HOME = "https://pypi.org/project/bfcl-eval/2026.3.23/"
_PUBLISHED = {
    "simple_python": "20f11ed5320fb3d00f50ebf0044ce4b0d1c0c3438e7d62418737a1f30f330044",
    "multiple": "691e9b25c728933a886e155b8af109bb5ffb2e7bdfa6d3bf8df9af40747a6416",
    "parallel": "e3cc42cfdfe2b240e6f44cfe0cc8687c676f3378ce4a48cd353aedba1709b829",
    "parallel_multiple": "aa4c5867793a4042d6b5602e34e6cd2d2ec8d600887fa17553bf537d1398b390",
}
"""Hashes of that release's files in ``bfcl_eval/data``, each with its answers."""
_TYPES = {
    "dict": "object",
    "float": "number",
    "tuple": "array",
    "any": None,
    "long": "integer",
    "double": "number",
}
"""Python's and Java's names of types, as the files have them, and JSON Schema's."""


class Function(Struct, frozen=True):
    """A tool as published."""

    name: str
    description: str
    parameters: dict[str, Any]


class Turn(Struct, frozen=True):
    """A message as published."""

    role: str
    content: str


class Row(Struct, frozen=True):
    """A question; ``question`` has one turn of messages."""

    id: str
    question: tuple[tuple[Turn, ...], ...]
    function: tuple[Function, ...]


class Truth(Struct, frozen=True):
    """What is right: for each call its arguments, and for each argument the values that are."""

    id: str
    ground_truth: tuple[dict[str, dict[str, list[Any]]], ...]


def read(path: Path) -> Iterator[Problem]:
    """The problems of a file such as BFCL_v4_multiple.json.

    Raises:
        UsageError: Its answers are missing, or a row is not as published.
    """
    truths = {truth.id: truth for truth in (line.as_(Truth) for line in lines_of(answers_of(path)))}
    for line in lines_of(path):
        row = line.as_(Row)
        if row.id not in truths or len(row.question) != 1:
            raise UsageError(f"{line.where}: it has no known answer, or more than one turn")
        yield _problem(row, truths[row.id], line)


def answers_of(path: Path) -> Path:
    """Where what is right stands: a file of the same name in ``possible_answer/`` beside it.

    Raises:
        UsageError: It isn't there.
    """
    beside = path.parent / "possible_answer" / path.name
    if not beside.exists():
        raise UsageError(f"what is right isn't beside it: {beside} is missing", hint=f"see {_HOME}")
    return beside


def _problem(row: Row, truth: Truth, line: Line) -> Problem:
    system = "\n".join(turn.content for turn in row.question[0] if turn.role == "system")
    asked = "\n".join(turn.content for turn in row.question[0] if turn.role == "user")
    if not asked:
        raise UsageError(f"{line.where}: it asks nothing")
    return Problem(
        id=row.id,
        prompt=asked,
        system=system or None,
        grade="calls",
        tools=tuple(
            Tool(_name(each.name), each.description, schema_of(each.parameters)) for each in row.function
        ),
        calls=tuple(
            ExpectedCall(_name(name), {key: _accepted(values) for key, values in arguments.items()})
            for call in truth.ground_truth
            for name, arguments in call.items()
        ),
    )


def schema_of(published: Any) -> dict[str, Any]:
    """A tool's parameters as a JSON Schema: the types have other names in the files."""
    return cast("dict[str, Any]", _translated(published))


def _translated(value: Any) -> Any:
    if isinstance(value, list):
        return [_translated(each) for each in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    known: dict[str, Any] = {}
    for key, each in cast("dict[str, Any]", value).items():
        if key == "type" and isinstance(each, str):
            name = _TYPES.get(each.lower(), each.lower())
            if name is not None:
                known[key] = name
        else:
            known[key] = _translated(each)
    return known


def _accepted(values: list[Any]) -> tuple[Any, ...]:
    """An empty text among the accepted values means that the argument may be left out."""
    return tuple(None if value == "" else value for value in values)


def _name(name: str) -> str:
    """A tool's name as every API accepts it: dots are not."""
    return name.replace(".", "_")


SUITE = Suite(
    name="calls",
    summary="Which tool to call, and with what (Berkeley Function Calling Leaderboard, single turn).",
    read=read,
    beside=answers_of,
    published=tuple(Published(f"BFCL_v4_{kind}.json", _HOME, digest) for kind, digest in _PUBLISHED.items()),
)
