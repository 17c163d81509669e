"""A suite's problems as an Inspect task: one answer a problem, judged by the suite's check.

Needs the extra ``evals``.
"""

from typing import Any, cast

import msgspec
from inspect_ai import Epochs, Task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessage, ChatMessageSystem, ChatMessageUser, GenerateConfig, get_model
from inspect_ai.scorer import CORRECT, INCORRECT, Score, Scorer, Target, accuracy, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.tool import ToolInfo, ToolParams

from isthmus.errors import ContextLengthExceeded
from isthmus.evals.data import Dataset
from isthmus.evals.judging import ModelJudge
from isthmus.evals.plans import Terms
from isthmus.evals.problems import Answer, Problem
from isthmus.evals.suites import Suite, function_of
from isthmus.evals.translating import as_call
from isthmus.messages import Tool

PROBLEM = "problem"
"""Under which name a sample's metadata hold its problem."""


def task_of(dataset: Dataset, terms: Terms) -> Task:
    """The task of a suite, as it wants it run."""
    return cast("Task", function_of(dataset.suite.task)(dataset.suite, dataset, terms))


def answering(suite: Suite, dataset: Dataset, terms: Terms) -> Task:
    """A task that asks each problem once for each attempt, without tools but those that a problem brings."""
    return Task(
        dataset=MemoryDataset([sample_of(each) for each in dataset.problems], name=dataset.source.name),
        solver=attempt(terms.seed),
        scorer=verdict(suite.check, terms.judge),
        config=GenerateConfig(temperature=terms.heat, max_tokens=terms.max_tokens),
        epochs=Epochs(terms.attempts, "mean"),
        name=dataset.source.name,
        metadata={"suite": suite.name, "sha256": dataset.source.sha256},
    )


def sample_of(problem: Problem) -> Sample:
    """A problem as Inspect's sample, which carries it whole: the scorer needs no other file."""
    opening: list[ChatMessage] = [ChatMessageSystem(content=problem.system)] if problem.system else []
    return Sample(
        id=problem.id,
        input=[*opening, ChatMessageUser(content=problem.prompt)],
        target=problem.answer or problem.solution or "",
        metadata={PROBLEM: msgspec.to_builtins(problem)},
    )


def problem_of(state: TaskState) -> Problem:
    """The problem of a sample that `sample_of` made."""
    return msgspec.convert(state.metadata[PROBLEM], Problem)


@solver
def attempt(seed: int = 0) -> Solver:
    """Ask once; each attempt (Inspect's epoch) has a seed of its own, the same in every run."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        state.output = await get_model().generate(
            state.messages,
            tools=[_tool_info(each) for each in problem_of(state).tools],
            config=GenerateConfig(seed=seed + state.epoch - 1),
        )
        state.messages.append(state.output.message)
        return state

    return solve


@scorer(metrics=[accuracy(), stderr()])
def verdict(check: str, judge: str | None = None) -> Scorer:
    """Judge by a suite's check; what can't be judged is an error, never a wrong answer.

    Args:
        check: The function, as ``module:function``.
        judge: The model that judges what rules can't.
    """
    decide = function_of(check)

    async def score(state: TaskState, target: Target) -> Score:
        if state.output.stop_reason == "model_length":
            raise ContextLengthExceeded(state.output.completion)
        calls = tuple(as_call(each) for each in state.output.message.tool_calls or ())
        answer = Answer(state.output.completion, calls)
        found = await decide(problem_of(state), answer, ModelJudge(judge) if judge else None)
        return Score(
            value=CORRECT if found.right else INCORRECT,
            answer=found.extracted,
            explanation=found.why,
            metadata={"stop": state.output.stop_reason},
        )

    return score


def _tool_info(tool: Tool) -> ToolInfo:
    parameters: dict[str, Any] = tool.parameters or {"type": "object", "properties": {}}
    return ToolInfo(
        name=tool.name, description=tool.description or "", parameters=ToolParams.model_validate(parameters)
    )
