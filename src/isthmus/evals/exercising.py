"""Whether an exercise is solved: its tests are run on what was made of its files."""

from collections.abc import Mapping

import msgspec

from isthmus.evals.answer_files import files_in
from isthmus.evals.grading import Judge
from isthmus.evals.problems import Answer, Problem
from isthmus.evals.suites.exercises import Exercise
from isthmus.sandbox import Limits
from isthmus.scoring import Verdict, score_files

LIMITS = Limits(wall_s=60.0, cpu_s=10.0)
"""Its tests take a second. An endless loop is known by its processor time, on a busy machine too."""


def exercise_of(problem: Problem) -> Exercise:
    """The exercise that a problem of these suites carries."""
    return msgspec.convert(problem.extra, Exercise)


async def check(problem: Problem, answer: Answer, judge: Judge | None = None) -> Verdict:
    """Judge an answer that holds files.

    The tests run even where it holds none: an exercise whose stub passes can't tell right from wrong, and
    ``isthmus bench gold`` must see it.

    Raises:
        SandboxUnavailable: Code can't be run safely here.
    """
    exercise = exercise_of(problem)
    written = files_in(answer.text, exercise.solution)
    found = await judge_files(exercise, written)
    if written or found.right:
        return found
    return Verdict(right=False, extracted=None, why="no file is in the answer")


async def judge_files(exercise: Exercise, written: Mapping[str, str]) -> Verdict:
    """Judge the files that were made.

    The tests come last, so that none of them can be replaced, and run in a sandbox that has seen nothing.

    Raises:
        SandboxUnavailable: Code can't be run safely here.
    """
    return await score_files({**exercise.files, **written, **exercise.tests}, exercise.command, limits=LIMITS)
