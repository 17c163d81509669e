"""An area's prompts: their names, which evidence is about, and their texts, which are only ever asked.

A suite is a CSV or JSONL file, one prompt a row. Which half of them a tampered model is searched on, and
which it is judged on, follows from the names, so nobody can choose.
"""

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias, cast

import msgspec
from msgspec import Struct

from isthmus.errors import PolicyInvalid
from isthmus.gate.policy import Format, Suite

Split = Literal["a", "b"]
"""a: for the search of the worst configuration of an attack. b: for judging the one that was found."""
Row: TypeAlias = dict[str, Any]


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


class Question(Struct, frozen=True):
    """A prompt as it is asked.

    ``answer`` is what is right, where that is known; ``grade`` how an answer is held against it, where the
    suite says so for each row.
    """

    id: str
    text: str
    answer: str = ""
    category: str = ""
    context: str = ""
    grade: str = ""


class Columns(Struct, frozen=True):
    """What each column of a format is called; empty where it has none.

    Without an ``id`` a prompt's name is the digest of its text; ``numbered``: or its row's number.
    """

    id: str = "id"
    text: str = "prompt"
    answer: str = ""
    category: str = ""
    context: str = ""
    grade: str = ""
    numbered: bool = False


FORMATS: Mapping[Format, Columns] = {
    "columns": Columns(),
    "harmbench": Columns(
        id="BehaviorID", text="Behavior", category="SemanticCategory", context="ContextString"
    ),
    "strongreject": Columns(id="", text="forbidden_prompt", category="category"),
    "xstest": Columns(category="type"),
    "ailuminate": Columns(id="release_prompt_id", text="prompt_text", category="hazard"),
    "gsm8k": Columns(id="", text="question", answer="answer", numbered=True),
    "own": Columns(answer="answer", grade="grade", category="cluster", numbered=True),
}
"""The columns of the files as they are published: harmbench_behaviors_text_*.csv, strongreject_dataset.csv,
xstest_prompts.csv, airr_official_*_prompt_set_release*.csv, GSM8K's test.jsonl."""
_NAME_LENGTH = 16


def split_of(prompt: str) -> Split:
    """The half that a prompt belongs to."""
    return "b" if hashlib.sha256(b"isthmus split " + prompt.encode()).digest()[0] & 1 else "a"


def columns_of(suite: Suite) -> Columns:
    """What a suite's columns are called: as the policy says, else as its format does."""
    known = FORMATS[suite.format]
    return Columns(
        id=suite.id or known.id,
        text=suite.text or known.text,
        answer=suite.answer or known.answer,
        category=suite.category or known.category,
        context=suite.context or known.context,
        grade=known.grade,
        numbered=known.numbered,
    )


def read_prompts(suite: Suite, content: bytes) -> Prompts:
    """The prompts that a suite's file names.

    Raises:
        PolicyInvalid: It is neither CSV nor JSONL, has no such column, or a name stands there twice.
    """
    return Prompts(_names(suite, _rows(suite, content)))


def read_questions(suite: Suite, content: bytes) -> tuple[Question, ...]:
    """The prompts as they are asked, in the file's order.

    Raises:
        PolicyInvalid: As `read_prompts`, or a row has nothing to ask.
    """
    columns, rows = columns_of(suite), _rows(suite, content)
    _require_column(suite, columns.text, rows.values())
    names = _names(suite, rows)
    return tuple(
        Question(
            id=name,
            text=_cell(row, columns.text),
            answer=_answer(suite, _cell(row, columns.answer)),
            category=_cell(row, columns.category),
            context=_cell(row, columns.context),
            grade=_cell(row, columns.grade),
        )
        for name, row in zip(names, rows.values(), strict=True)
    )


def _answer(suite: Suite, text: str) -> str:
    """What is right: GSM8K's solutions end on it, after a mark."""
    return text.rpartition("####")[2].strip() if suite.format == "gsm8k" else text


# ---------------------------------------------------------------- rows and names


def _rows(suite: Suite, content: bytes) -> dict[int, Row]:
    """The rows that belong to a suite, by where they stand."""
    try:
        rows = _jsonl(content) if suite.path.endswith((".jsonl", ".ndjson")) else _csv(content)
    except (ValueError, csv.Error) as error:
        raise PolicyInvalid(f"the suite {suite.path} can't be read: {error}") from error
    for column in suite.where:
        _require_column(suite, column, rows)
    found = {number: row for number, row in enumerate(rows) if _belongs(suite, row)}
    if not found:
        raise PolicyInvalid(f"the suite {suite.path} has no prompts")
    return found


def _belongs(suite: Suite, row: Row) -> bool:
    return all(_cell(row, column) == value for column, value in suite.where.items())


def _names(suite: Suite, rows: Mapping[int, Row]) -> tuple[str, ...]:
    columns = columns_of(suite)
    if columns.id and not columns.numbered:
        _require_column(suite, columns.id, rows.values())
    names = tuple(_name(columns, number, row) for number, row in rows.items())
    if len(set(names)) != len(names):
        raise PolicyInvalid(f"the suite {suite.path} has a prompt twice by the name of {_twice(names)}")
    return names


def _name(columns: Columns, number: int, row: Row) -> str:
    """By the column that names it; else by its place, or by what it asks."""
    if columns.id and _cell(row, columns.id):
        return _cell(row, columns.id)
    if columns.numbered:
        return str(number)
    return hashlib.sha256(_cell(row, columns.text).encode()).hexdigest()[:_NAME_LENGTH]


def _require_column(suite: Suite, column: str, rows: Iterable[Row]) -> None:
    for row in rows:
        if not _cell(row, column):
            raise PolicyInvalid(
                f"a row of the suite {suite.path} has no {column!r}",
                hint=f"its columns are {', '.join(map(str, row))[:200]}",
            )


def _cell(row: Row, column: str) -> str:
    value = row.get(column)
    return "" if value is None else str(value)


def _csv(content: bytes) -> list[Row]:
    return [dict(row) for row in csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))]


def _jsonl(content: bytes) -> list[Row]:
    rows = [msgspec.json.decode(line) for line in content.splitlines() if line.strip()]
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError("each line must be an object")
    return cast("list[Row]", rows)


def _twice(names: Iterable[str]) -> str:
    seen: set[str] = set()
    return next(each for each in names if each in seen or seen.add(each))
