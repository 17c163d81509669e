"""A problem, whatever suite it comes from: what is asked, and how an answer is judged."""

from typing import Any, Literal, TypeAlias

from msgspec import Struct

from isthmus.messages import Tool, ToolCall

Grade: TypeAlias = Literal["exact", "regex", "numeric", "choice", "code", "schema", "calls", "judge"]
"""How an answer is judged: as text, by a pattern, as a number, as the letter of a choice, by running it, by
a schema, by the tools it calls, or by a model."""


class CodeTests(Struct, frozen=True, omit_defaults=True):
    """How code is tested: by ``asserts`` (as in MBPP), or by a ``check`` of its ``entry_point`` (HumanEval).

    ``setup`` is run before the asserts; ``prompt`` is the code that an answer may go on from.
    """

    asserts: tuple[str, ...] = ()
    setup: str = ""
    check: str = ""
    entry_point: str = ""
    prompt: str = ""


class ExpectedCall(Struct, frozen=True):
    """A call that is right: the tool's name and, for each argument, the values that are.

    None among the values means that the argument may be left out.
    """

    name: str
    arguments: dict[str, tuple[Any, ...]]


class Problem(Struct, frozen=True, omit_defaults=True):
    """One problem of a suite.

    ``answer`` is what is right, as its grade reads it: a text, a pattern, a number, a letter. ``cluster``
    names what the problem has in common with others, such as its subject: their results are not independent.
    ``solution`` is an answer known to be right, for ``isthmus bench gold``. ``extra`` is for suites with a
    task of their own.
    """

    id: str
    prompt: str
    grade: Grade
    answer: str = ""
    system: str | None = None
    options: int = 4
    tests: CodeTests | None = None
    schema: dict[str, Any] | None = None
    tools: tuple[Tool, ...] = ()
    calls: tuple[ExpectedCall, ...] = ()
    solution: str | None = None
    cluster: str | None = None
    extra: dict[str, Any] = {}


class Answer(Struct, frozen=True):
    """What a model made of a problem."""

    text: str
    calls: tuple[ToolCall, ...] = ()
