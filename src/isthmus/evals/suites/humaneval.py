"""HumanEval: Python functions from their signature and docstring (Chen et al. 2021, arXiv:2107.03374)."""

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from isthmus.evals.problems import CodeTests, Problem
from isthmus.evals.suites.objects import lines_of
from isthmus.evals.suites.suite import Published, Suite

_ASKS = (
    "Complete this Python function. Answer with the whole function, in one block.\n\n```python\n{prompt}```"
)


class Row(Struct, frozen=True):
    """A row as published; ``test`` defines ``check(candidate)``."""

    task_id: str
    prompt: str
    entry_point: str
    canonical_solution: str
    test: str


def read(path: Path) -> Iterator[Problem]:
    """The problems of HumanEval.jsonl, in its order.

    Raises:
        UsageError: A row is not as published.
    """
    for line in lines_of(path):
        row = line.as_(Row)
        yield Problem(
            id=row.task_id,
            prompt=_ASKS.format(prompt=row.prompt),
            grade="code",
            tests=CodeTests(check=row.test, entry_point=row.entry_point, prompt=row.prompt),
            solution=f"```python\n{row.prompt}{row.canonical_solution}\n```",
        )


SUITE = Suite(
    name="humaneval",
    summary="Python functions from their docstring, run against hidden tests.",
    read=read,
    runs_code=True,
    published=(
        Published(
            "HumanEval.jsonl.gz",
            "https://raw.githubusercontent.com/openai/human-eval/master/data/HumanEval.jsonl.gz",
            "b796127e635a67f93fb35c04f4cb03cf06f38c8072ee7cee8833d7bee06979ef",
        ),
    ),
)
