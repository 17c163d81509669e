"""Programming exercises in folders, laid out as Exercism's and the polyglot benchmark's.

    clock/.docs/instructions.md      what is to be done
    clock/.meta/config.json          {"files": {"solution": [...], "test": [...], "example": [...]}}
    clock/.meta/example.py           a solution, one file for each of "solution", in their order
    clock/clock.py                   the stub
    clock/clock_test.py              the tests, which whoever is measured never sees

"editor" names files that are shown but not to be changed, such as tests that one may run. The layout is
described at https://exercism.org/docs/building/tracks/practice-exercises. What else lies in a folder is part
of the exercise. Twenty of our own, from running sums to the repair of a package with eight faults, are used
where no other folder is named.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from isthmus.errors import UsageError
from isthmus.evals.answer_files import render_files
from isthmus.evals.problems import Problem
from isthmus.evals.suites.suite import Suite

CHECK = "isthmus.evals.exercising:check"
PRACTICE = Path(__file__).parent / "practice"
"""Our own exercises, of rising difficulty."""

_HIDDEN = (".docs", ".meta")
_ASKS = """{instructions}

These are the files:

{files}

Answer with every file that you change, whole, each in a code block of its own whose first line is a comment
with the file's path."""


class Exercise(Struct, frozen=True):
    """An exercise: files by their paths.

    Attributes:
        instructions: What is to be done, in Markdown.
        files: What whoever is measured gets.
        solution: Which of them are to be changed.
        tests: What judges the result; a file of the same path in an answer doesn't count.
        reference: A solution, as far as it differs from ``files``.
    """

    instructions: str
    files: dict[str, str]
    solution: tuple[str, ...]
    tests: dict[str, str]
    reference: dict[str, str]

    @property
    def command(self) -> tuple[str, ...]:
        """What runs the tests, in a folder that holds the files and them."""
        modules = (path.removesuffix(".py").replace("/", ".") for path in self.tests)
        return ("python3", "-B", "-m", "unittest", *modules)


class _Files(Struct, frozen=True):
    solution: tuple[str, ...]
    test: tuple[str, ...]
    editor: tuple[str, ...] = ()
    example: tuple[str, ...] = ()
    exemplar: tuple[str, ...] = ()


class _Config(Struct, frozen=True):
    files: _Files


def read(path: Path) -> Iterator[Problem]:
    """The exercises of a folder of folders, in the order of their names.

    Raises:
        UsageError: One isn't laid out as it should be, has no tests, or isn't in Python.
    """
    for folder in sorted(each.parent.parent for each in path.glob("*/.meta/config.json")):
        exercise = exercise_in(folder)
        yield Problem(
            id=folder.name,
            prompt=_ASKS.format(
                instructions=exercise.instructions.strip(), files=render_files(exercise.files)
            ),
            grade="code",
            solution=render_files(exercise.reference),
            extra=msgspec.to_builtins(exercise),
        )


def exercise_in(folder: Path) -> Exercise:
    """The exercise of a folder.

    Raises:
        UsageError: It isn't laid out as it should be, has no tests, or isn't in Python.
    """
    try:
        named = msgspec.json.decode((folder / ".meta/config.json").read_bytes(), type=_Config).files
        examples = named.example or named.exemplar
        listed = (*named.solution, *named.test, *named.editor, *examples)
        texts = {each: _text(folder / each) for each in listed}
        instructions = "\n\n".join(_text(each) for each in _instructions(folder))
    except (msgspec.DecodeError, OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{folder} is no exercise: {error}", hint=f"ls -A {folder}") from error
    if not named.test or not named.solution:
        raise UsageError(f"{folder} has no {'tests' if named.solution else 'file for a solution'}")
    if examples and len(examples) != len(named.solution):
        raise UsageError(
            f"{folder} has {len(examples)} example files for {len(named.solution)} of a solution"
        )
    if other := next((each for each in (*named.solution, *named.test) if not each.endswith(".py")), None):
        raise UsageError(f"{folder} isn't in Python ({other}), and no other language can be run yet")
    pairs = zip(named.solution, examples, strict=False)
    shown = (*named.solution, *named.editor)
    return Exercise(
        instructions=instructions,
        files={each: texts[each] for each in shown} | _others(folder, {*shown, *named.test}),
        solution=named.solution,
        tests={each: texts[each] for each in named.test},
        reference={path: texts[example] for path, example in pairs if path != example},
    )


def _instructions(folder: Path) -> list[Path]:
    """An exercise may have an introduction, and something appended."""
    names = ("introduction.md", "instructions.md", "instructions.append.md")
    found = [file for name in names if (file := folder / ".docs" / name).is_file()]
    return found or [folder / ".docs" / "instructions.md"]


def _others(folder: Path, named: set[str]) -> dict[str, str]:
    """What else lies there: the rest of a package, tests that may be seen."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    paths = {file.relative_to(folder).as_posix(): file for file in files}
    return {
        path: _text(file)
        for path, file in paths.items()
        if path not in named and path.split("/")[0] not in _HIDDEN and "__pycache__" not in path
    }


def _text(file: Path) -> str:
    return file.read_text("utf-8")


SUITE = Suite(
    name="exercises",
    summary="Programming exercises in folders, answered in one go with whole files.",
    read=read,
    bundled=PRACTICE,
    check=CHECK,
    runs_code=True,
)
AGENT = Suite(
    name="exercises-agent",
    summary="The same exercises, worked on in a sandbox with a shell, files and tests.",
    read=read,
    bundled=PRACTICE,
    task="isthmus.evals.agent:working",
    check=CHECK,
    runs_code=True,
)
