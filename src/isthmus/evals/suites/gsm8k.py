"""GSM8K: grade-school mathematics in words (Cobbe et al. 2021, arXiv:2110.14168)."""

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from isthmus.errors import UsageError
from isthmus.evals.problems import Problem
from isthmus.evals.suites.objects import lines_of
from isthmus.evals.suites.suite import Published, Suite

_HOME = "https://raw.githubusercontent.com/openai/grade-school-math/master/grade_school_math/data"
_ASKS = "{question}\nGive the final answer as \\boxed{{number}}."


class Row(Struct, frozen=True):
    """A row as published; the answer's last line is ``#### 72``."""

    question: str
    answer: str


def read(path: Path) -> Iterator[Problem]:
    """The problems of train.jsonl or test.jsonl.

    Raises:
        UsageError: A row is not as published.
    """
    for number, line in enumerate(lines_of(path)):
        row = line.as_(Row)
        working, mark, answer = row.answer.rpartition("####")
        if not mark:
            raise UsageError(f"{line.where}: its answer ends on no ####")
        yield Problem(
            id=str(number),
            prompt=_ASKS.format(question=row.question),
            grade="numeric",
            answer=answer.strip(),
            solution=f"{working.strip()}\n#### {answer.strip()}",
        )


SUITE = Suite(
    name="gsm8k",
    summary="Grade-school mathematics in words; a number is right or wrong.",
    read=read,
    published=(
        Published(
            "test.jsonl",
            f"{_HOME}/test.jsonl",
            "3730d312f6e3440559ace48831e51066acaca737f6eabec99bccb9e4b3c39d14",
        ),
        Published(
            "train.jsonl",
            f"{_HOME}/train.jsonl",
            "17f347dc51477c50d4efb83959dbb7c56297aba886e5544ee2aaed3024813465",
        ),
    ),
)
