"""MBPP: short Python functions with tests (Austin et al. 2021, arXiv:2108.07732)."""

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from isthmus.errors import UsageError
from isthmus.evals.problems import CodeTests, Problem
from isthmus.evals.suites.objects import lines_of
from isthmus.evals.suites.suite import Published, Suite

TEST_SPLIT = range(11, 511)
"""The task_id of the problems that the paper tests on; the others are examples, training and validation."""

_ASKS = (
    "{text}\n\nYour function should pass these tests:\n```python\n{tests}\n```\n"
    "Answer with the Python code, in one block."
)


class Row(Struct, frozen=True):
    """A row as published."""

    task_id: int
    text: str
    code: str
    test_list: tuple[str, ...]
    test_setup_code: str = ""


def read(path: Path) -> Iterator[Problem]:
    """The test split of mbpp.jsonl, in its order.

    Raises:
        UsageError: A row is not as published, or has no tests.
    """
    for line in lines_of(path):
        row = line.as_(Row)
        if row.task_id not in TEST_SPLIT:
            continue
        if not row.test_list:
            raise UsageError(f"{line.where}: it has no tests")
        yield Problem(
            id=str(row.task_id),
            prompt=_ASKS.format(text=row.text, tests="\n".join(row.test_list)),
            grade="code",
            tests=CodeTests(asserts=row.test_list, setup=row.test_setup_code),
            solution=f"```python\n{row.code}\n```",
        )


SUITE = Suite(
    name="mbpp",
    summary="Short Python functions, run against their tests.",
    read=read,
    runs_code=True,
    published=(
        Published(
            "mbpp.jsonl",
            "https://raw.githubusercontent.com/google-research/google-research/master/mbpp/mbpp.jsonl",
            "ccf64ceae9c5403bf50a044cb6d505bfd2a2963ee58338ba268fd65beab92a9f",
        ),
    ),
)
