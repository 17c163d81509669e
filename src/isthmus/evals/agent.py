"""Exercises worked on by an agent: Inspect's ReAct loop with a shell, files and tests, in our sandbox.

Needs the extra ``evals``.
"""

from inspect_ai import Epochs, Task
from inspect_ai.agent import AgentPrompt, AgentSubmit, as_solver, react
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import GenerateConfig
from inspect_ai.scorer import CORRECT, INCORRECT, Score, Scorer, Target, accuracy, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.util import sandbox

from isthmus.evals.agent_tools import bash, edit_file, files_there, read_file, run_tests, write_file
from isthmus.evals.data import Dataset
from isthmus.evals.exercising import exercise_of, judge_files
from isthmus.evals.plans import Terms
from isthmus.evals.problems import Problem
from isthmus.evals.suites import Suite
from isthmus.evals.tasks import problem_of, sample_of

MOST_MESSAGES = 60
"""About thirty steps: an agent that needs more goes in circles."""
MOST_S = 1_800

_INSTRUCTIONS = """You are a programmer. The files that you are to work on lie in the current folder. Read
them, change them, and try your work with the tools. Other tests than those you can see will judge it."""
_ASKS = """{instructions}

The files: {files}. Call submit when the work is done."""


def working(suite: Suite, dataset: Dataset, terms: Terms) -> Task:
    """A task in which each exercise is worked on in a sandbox of its own, and judged in another."""
    return Task(
        dataset=MemoryDataset([_sample(each) for each in dataset.problems], name=dataset.source.name),
        solver=agent(terms.seed),
        scorer=tests_pass(),
        sandbox="bubblewrap",
        config=GenerateConfig(temperature=terms.heat, max_tokens=terms.max_tokens),
        epochs=Epochs(terms.attempts, "mean"),
        message_limit=MOST_MESSAGES,
        time_limit=MOST_S,
        name=dataset.source.name,
        metadata={"suite": suite.name, "sha256": dataset.source.sha256},
    )


@solver
def agent(seed: int = 0) -> Solver:
    """Work until the agent says that it is done, or may do no more."""
    loop = as_solver(
        react(
            prompt=AgentPrompt(instructions=_INSTRUCTIONS),
            tools=[bash(), read_file(), edit_file(), write_file(), run_tests()],
            submit=AgentSubmit(answer_only=True),
        )
    )

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        return await loop(state, generate)

    return solve


@scorer(metrics=[accuracy(), stderr()])
def tests_pass() -> Scorer:
    """Judge what lies in the sandbox once the agent has ended, however it ended."""

    async def score(state: TaskState, target: Target) -> Score:
        exercise = exercise_of(problem_of(state))
        there = await files_there(sandbox())
        found = await judge_files(exercise, there)
        changed = sorted(path for path, text in there.items() if exercise.files.get(path) != text)
        return Score(
            value=CORRECT if found.right else INCORRECT,
            answer=", ".join(changed) or None,
            explanation=found.why,
            metadata={"stop": state.output.stop_reason, "messages": len(state.messages)},
        )

    return score


def _sample(problem: Problem) -> Sample:
    exercise = exercise_of(problem)
    sample = sample_of(problem)
    sample.input = _ASKS.format(
        instructions=exercise.instructions.strip(), files=", ".join(f"`{each}`" for each in exercise.files)
    )
    sample.files = dict(exercise.files)
    return sample
