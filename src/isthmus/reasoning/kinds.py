"""What kind of answer a question wants, and so how several of them are compared."""

import re
from typing import Literal, TypeAlias

from isthmus.reasoning.examples import shown_tests

Kind: TypeAlias = Literal["number", "choice", "code", "text"]
"""A number or another single value, one letter of several, a program, anything else."""

_CHOICES = re.compile(r"^[ \t]*(?:\(?([A-H])[).:]|([A-H])\.)[ \t]+\S", re.MULTILINE)
_MARKED = re.compile(r"\\boxed\b|#{4}")
_CODE = re.compile(
    r"```|\b(?:python|javascript|typescript|java|rust|c\+\+|golang|sql|bash)\b.{0,80}?"
    r"\b(?:function|program|script|class|method|code|query)\b"
    r"|\b(?:write|implement|complete|fix|refactor)(?:\s+[\w-]+){0,3}\s+"
    r"(?:function|program|script|class|method|code|query)\b"
    r"|^\s*(?:def|class|fn|func|public|import|from)\s+\w",
    re.IGNORECASE | re.MULTILINE,
)
_NUMBER = re.compile(
    r"\bhow (?:many|much|long|far|old|fast|tall|big|heavy)\b"
    r"|\b(?:calculate|compute|evaluate|solve|what percent\w*|what fraction|total|average|sum of|product of)\b"
    r"|\bwhat(?: is|'s)\s+[-(\d√]",
    re.IGNORECASE,
)
_LONGEST = 8_000
"""Characters of a question that are looked at: of a longer one its end, where people ask."""


def kind_of(question: str) -> Kind:
    """The kind of answer that a question wants, by its looks.

    A wrong guess costs little: answers that name no value are compared as texts, whatever was expected.
    """
    text = question[-_LONGEST:]
    if shown_tests(text):
        return "code"
    if len({one or other for one, other in _CHOICES.findall(text)} & {"A", "B"}) == 2:
        return "choice"
    if _MARKED.search(text):
        return "number"
    if _CODE.search(text):
        return "code"
    return "number" if _NUMBER.search(text) and re.search(r"\d", text) else "text"
