"""Multiple choice: MMLU (Hendrycks et al., arXiv:2009.03300) and ARC (Clark et al., arXiv:1803.05457)."""

import csv
import io
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from string import ascii_uppercase

from msgspec import Struct

from isthmus.errors import UsageError
from isthmus.evals.problems import Problem
from isthmus.evals.suites.objects import lines_of
from isthmus.evals.suites.suite import Published, Suite

_ASKS = "{question}\n\n{choices}\n\nEnd with the letter of the right choice: \\boxed{{letter}}."
_SUBJECT_COLUMNS = 6
"""Of MMLU's tables: the question, four choices, the right letter."""


def ask(question: str, choices: Sequence[str]) -> str:
    """The question with its choices under letters."""
    lines = (f"{letter}) {choice}" for letter, choice in zip(ascii_uppercase, choices, strict=False))
    return _ASKS.format(question=question.strip(), choices="\n".join(lines))


# ---------------------------------------------------------------- MMLU


def read_mmlu(path: Path) -> Iterator[Problem]:
    """The test split of data.tar as published, of the folder that it unpacks to, or of one subject's table.

    Raises:
        UsageError: There is no test split there, or a row is not as published.
    """
    found = False
    for name, text in _tables(path):
        found = True
        subject = PurePosixPath(name).stem.removesuffix("_test")
        for number, row in enumerate(csv.reader(io.StringIO(text, newline=""))):
            yield _mmlu_problem(row, subject, number)
    if not found:
        raise UsageError(f"{path} holds no test/SUBJECT_test.csv", hint=f"ls {path}")


def _mmlu_problem(row: Sequence[str], subject: str, number: int) -> Problem:
    if len(row) != _SUBJECT_COLUMNS or row[-1] not in "ABCD":
        raise UsageError(f"{subject}, row {number + 1}: it is no question, four choices and a letter")
    question, *choices, letter = row
    return Problem(
        id=f"{subject}/{number}",
        prompt=ask(question, choices),
        grade="choice",
        answer=letter,
        solution=f"\\boxed{{{letter}}}",
        cluster=subject,
    )


def _tables(path: Path) -> Iterator[tuple[str, str]]:
    """Each subject's table of the test split: its name and text."""
    try:
        if path.is_dir():
            for file in sorted(path.rglob("*_test.csv")):
                yield file.name, file.read_text("utf-8")
        elif tarfile.is_tarfile(path):
            with tarfile.open(path) as archive:
                members = [each for each in archive if each.name.endswith("_test.csv")]
                for member in sorted(members, key=lambda each: each.name):
                    if (file := archive.extractfile(member)) is not None:
                        yield member.name, file.read().decode("utf-8")
        else:
            yield path.name, path.read_text("utf-8")
    except (OSError, tarfile.TarError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} can't be read: {error}", hint=f"ls -l {path}") from error


MMLU = Suite(
    name="mmlu",
    summary="Knowledge of 57 subjects; four choices.",
    read=read_mmlu,
    published=(
        Published(
            "data.tar",
            "https://people.eecs.berkeley.edu/~hendrycks/data.tar",
            "bec563ba4bac1d6aaf04141cd7d1605d7a5ca833e38f994051e818489592989b",
        ),
    ),
)


# ---------------------------------------------------------------- ARC


class ArcChoice(Struct, frozen=True):
    """One of a question's choices."""

    text: str
    label: str


class ArcQuestion(Struct, frozen=True):
    """A question and its choices."""

    stem: str
    choices: tuple[ArcChoice, ...]


class ArcRow(Struct, frozen=True, rename="camel"):
    """A row as published; labels are A to E, in some questions 1 to 5."""

    id: str
    question: ArcQuestion
    answer_key: str


def read_arc(path: Path) -> Iterator[Problem]:
    """The problems of ARC-Challenge-Test.jsonl, or of another of ARC's files.

    Raises:
        UsageError: A row is not as published.
    """
    for line in lines_of(path):
        row = line.as_(ArcRow)
        labels = [each.label for each in row.question.choices]
        if row.answer_key not in labels:
            raise UsageError(f"{line.where}: its answer {row.answer_key!r} is none of its choices")
        letter = ascii_uppercase[labels.index(row.answer_key)]
        yield Problem(
            id=row.id,
            prompt=ask(row.question.stem, [each.text for each in row.question.choices]),
            grade="choice",
            answer=letter,
            options=len(labels),
            solution=f"\\boxed{{{letter}}}",
        )


_ARC_FILES = ("ARC-Challenge-Test.jsonl", "ARC-Easy-Test.jsonl")

ARC = Suite(
    name="arc",
    summary="Science questions of grade school; three to five choices.",
    read=read_arc,
    published=tuple(
        Published(name, "https://s3-us-west-2.amazonaws.com/ai2-website/data/ARC-V1-Feb2018.zip")
        for name in _ARC_FILES
    ),
)
