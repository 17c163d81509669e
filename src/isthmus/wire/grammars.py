"""Grammars that people send: llama.cpp's GBNF, of a size that the engine can work with.

Whether a text is a grammar at all, the engine says. What is bounded here is what would cost it its stack, or
much of its time by mistake: a grammar is looked at for each token of an answer. Whoever means harm needs no
large one: two dozen ways to read the same letters do, so grammars are taken only of those who are trusted.
"""

import re

from isthmus.errors import RequestError
from isthmus.wire.schemas import MAX_REPETITION

MAX_GRAMMAR = 32_768
"""Characters."""
MAX_GROUPS = 32
"""Levels of groups in groups: the engine reads them by recursion."""

_TOKEN = re.compile(
    r"""
      "(?:[^"\\]|\\.)*"          # a literal
    | \[(?:[^\]\\]|\\.)*\]       # a class of characters
    | \#[^\n]*                   # a comment
    | \{\s*(?P<least>\d+)?\s*(?P<most>,\s*(?P<last>\d+)?)?\s*\}
    | [()]
    | [\w-]+                     # a rule's name
    """,
    re.VERBOSE | re.DOTALL,
)
_ROOT = re.compile(r"^[ \t]*root\s*::=", re.MULTILINE)


def read_grammar(asked: str | None, param: str = "grammar") -> str | None:
    """The grammar that an answer must keep to; None where there is none.

    Raises:
        RequestError: It has no root, or is larger than can be worked with.
    """
    if not asked:
        return None
    if len(asked) > MAX_GRAMMAR:
        raise RequestError(f"{param} is longer than {MAX_GRAMMAR:,} characters", param=param)
    if not _ROOT.search(asked):
        raise RequestError(f"{param} has no rule named root", hint='root ::= "yes" | "no"', param=param)
    _check_repetition(asked, param)
    return asked


def _check_repetition(grammar: str, param: str) -> None:
    """Follow groups and what repeats them; a rule that repeats another is the engine's to bound."""
    within = [1]  # the most that is repeated in each of the groups that are open
    closed = 1  # and in the one that has just been closed
    for token in _TOKEN.finditer(grammar):
        text = token[0]
        if text == "(":
            within.append(1)
            if len(within) > MAX_GROUPS:
                raise RequestError(f"{param}: groups are nested more than {MAX_GROUPS} deep", param=param)
        elif text == ")" and len(within) > 1:
            closed = within.pop()
            within[-1] = max(within[-1], closed)
        elif text.startswith("{"):
            within[-1] = max(within[-1], _times(token) * closed)
            if within[-1] > MAX_REPETITION:
                raise RequestError(
                    f"{param} repeats something more than {MAX_REPETITION:,} times", param=param
                )
            closed = 1
        else:
            closed = 1


def _times(token: re.Match[str]) -> int:
    return max([1, *(int(each[:9]) for each in (token["least"], token["last"]) if each)])
