"""Whether an answer to a problem is right, by the problem's grade."""

import json
from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Any, cast

from isthmus.errors import UsageError
from isthmus.evals.problems import Answer, ExpectedCall, Problem
from isthmus.messages import ToolCall
from isthmus.scoring import (
    Judge,
    Verdict,
    score_asserts,
    score_check,
    score_choice,
    score_exact,
    score_numeric,
    score_regex,
    score_schema,
)


async def check(problem: Problem, answer: Answer, judge: Judge | None = None) -> Verdict:
    """Judge an answer.

    Args:
        problem: What was asked.
        answer: What was answered.
        judge: Who judges where the grade is ``judge``.

    Raises:
        UsageError: A judge is needed, and there is none.
        SandboxUnavailable: Code is to be run, and can't be run safely here.
    """
    match problem.grade:
        case "exact":
            return score_exact(answer.text, problem.answer)
        case "regex":
            return score_regex(answer.text, problem.answer)
        case "numeric":
            return score_numeric(answer.text, problem.answer)
        case "choice":
            return score_choice(answer.text, problem.answer, letters=ascii_uppercase[: problem.options])
        case "schema":
            return score_schema(answer.text, problem.schema or {})
        case "code":
            return await _check_code(problem, answer.text)
        case "calls":
            return check_calls(answer.calls, problem.calls)
        case "judge":
            if judge is None:
                raise UsageError("a judge is needed for these problems", hint="--judge MODEL")
            return await judge(problem.prompt, answer.text, problem.answer)


async def _check_code(problem: Problem, text: str) -> Verdict:
    tests = problem.tests
    if tests is None:
        raise UsageError(f"problem {problem.id} has no tests")
    if tests.check:
        return await score_check(text, tests.check, tests.entry_point, prompt=tests.prompt)
    return await score_asserts(text, tests.asserts, setup=tests.setup)


# ---------------------------------------------------------------- tool calls


def check_calls(made: Sequence[ToolCall], wanted: Sequence[ExpectedCall]) -> Verdict:
    """Whether exactly the wanted calls were made, in any order."""
    extracted = "; ".join(f"{call.name}({call.arguments})" for call in made) or None
    left = list(wanted)
    for call in made:
        problems = {each.name: _mismatch(call, each) for each in left}
        fits = next((each for each in left if _mismatch(call, each) is None), None)
        if fits is None:
            why = problems.get(call.name) or f"{call.name} was not to be called"
            return Verdict(right=False, extracted=extracted, why=why)
        left.remove(fits)
    if left:
        return Verdict(right=False, extracted=extracted, why=f"{left[0].name} was not called")
    return Verdict(right=True, extracted=extracted, why="the wanted calls were made")


def _mismatch(call: ToolCall, wanted: ExpectedCall) -> str | None:
    """What is wrong with a call, or None where it is the wanted one."""
    if call.name != wanted.name:
        return f"{call.name} was called, not {wanted.name}"
    try:
        given: Any = json.loads(call.arguments or "{}")
    except json.JSONDecodeError:
        return f"the arguments of {call.name} are no JSON"
    if not isinstance(given, dict):
        return f"the arguments of {call.name} are no object"
    arguments = cast("dict[str, Any]", given)
    if extra := sorted(arguments.keys() - wanted.arguments.keys()):
        return f"{call.name} was given {', '.join(extra)}, which is not wanted"
    for name, accepted in wanted.arguments.items():
        if name not in arguments:
            if None not in accepted:
                return f"{call.name} lacks {name}"
        elif not any(_same(arguments[name], each) for each in accepted):
            return f"{name} of {call.name} is {json.dumps(arguments[name])}"
    return None


def _same(given: Any, wanted: Any) -> bool:
    """Whether two values are the same; texts are without case, spaces and punctuation counting."""
    if isinstance(given, str) and isinstance(wanted, str):
        return _plain(given) == _plain(wanted)
    if isinstance(given, bool) or isinstance(wanted, bool):
        return given is wanted
    if isinstance(given, list) and isinstance(wanted, list | tuple):
        ours, theirs = cast("list[Any]", given), cast("Sequence[Any]", wanted)
        return len(ours) == len(theirs) and all(map(_same, ours, theirs))
    if isinstance(given, Mapping) and isinstance(wanted, Mapping):
        return _same_object(cast("Mapping[str, Any]", given), cast("Mapping[str, Any]", wanted))
    return bool(given == wanted)


def _same_object(given: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """An object's values are lists of what is accepted, as a call's arguments are."""
    if given.keys() - wanted.keys():
        return False
    for name, accepted in wanted.items():
        choices: Sequence[Any] = cast("list[Any]", accepted) if isinstance(accepted, list) else (accepted,)
        if name not in given:
            if None not in choices and "" not in choices:
                return False
        elif not any(_same(given[name], each) for each in choices):
            return False
    return True


def _plain(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum())
