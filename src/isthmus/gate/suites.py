"""Which prompts an area has: their names, never their texts.

A suite is a CSV or JSONL file whose rows have a column that names the prompt. Which half of them a tampered
model is searched on, and which it is judged on, follows from the names, so nobody can choose.
"""

import csv
import hashlib
import io
from typing import Any, Literal, cast

import msgspec
from msgspec import Struct

from isthmus.errors import PolicyInvalid
from isthmus.gate.policy import Suite

Split = Literal["a", "b"]
"""a: for the search of the worst configuration of an attack. b: for judging the one that was found."""


class Prompts(Struct, frozen=True):
    """The prompts of a suite, by name, in the file's order."""

    ids: tuple[str, ...]

    def half(self, split: Split) -> tuple[str, ...]:
        """The prompts of one half."""
        return tuple(each for each in self.ids if split_of(each) == split)

    @property
    def digest(self) -> str:
        """The SHA-256 of the names, one a line."""
        return hashlib.sha256("".join(f"{each}\n" for each in self.ids).encode()).hexdigest()


def split_of(prompt: str) -> Split:
    """The half that a prompt belongs to."""
    return "b" if hashlib.sha256(b"isthmus split " + prompt.encode()).digest()[0] & 1 else "a"


def read_prompts(suite: Suite, content: bytes) -> Prompts:
    """The prompts that a suite's file names.

    Raises:
        PolicyInvalid: It is neither CSV nor JSONL, has no such column, or a name stands there twice.
    """
    try:
        rows = _jsonl(content) if suite.path.endswith((".jsonl", ".ndjson")) else _csv(content)
    except (ValueError, csv.Error) as error:
        raise PolicyInvalid(f"the suite {suite.path} can't be read: {error}") from error
    if not rows:
        raise PolicyInvalid(f"the suite {suite.path} has no prompts")
    if any(row.get(suite.id) in (None, "") for row in rows):
        columns = ", ".join(map(str, rows[0]))
        raise PolicyInvalid(
            f"a row of the suite {suite.path} has no {suite.id!r}", hint=f"its columns are {columns[:200]}"
        )
    ids = tuple(str(row[suite.id]) for row in rows)
    if len(set(ids)) != len(ids):
        raise PolicyInvalid(f"the suite {suite.path} has a prompt twice by the name of {_twice(ids)}")
    return Prompts(ids)


def _csv(content: bytes) -> list[dict[str, Any]]:
    return [dict(row) for row in csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))]


def _jsonl(content: bytes) -> list[dict[str, Any]]:
    rows = [msgspec.json.decode(line) for line in content.splitlines() if line.strip()]
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError("each line must be an object")
    return cast("list[dict[str, Any]]", rows)


def _twice(ids: tuple[str, ...]) -> str:
    seen: set[str] = set()
    return next(each for each in ids if each in seen or seen.add(each))
