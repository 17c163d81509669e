r"""A worked answer in two: the working, and what it comes to, which is what a person asked for.

The cut is where an answer sets its end apart itself: the line of ``\boxed{72}``, of ``#### 72``, or of
"the answer is 72", the last of them. An answer without such a line is all answer.
"""

import re

from isthmus.scoring import final_answer

_MARK = re.compile(r"\\boxed\s*\{|^#{3,}[ \t]*\S", re.MULTILINE)
_BOX = re.compile(r"\\boxed\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
_RULE = re.compile(r"^\s*(?:\\\[|\\\]|\$\$|```\w*|---+)\s*$")
_AROUND = re.compile(r"\\[()\[\]]|\$\$?(?=\s*\\boxed)|(?<=\})\s*\$\$?")


def split(text: str) -> tuple[str, str]:
    """The working and the answer; together they hold all that says something. The working may be empty."""
    at = _line_of_answer(text)
    if at is None:
        return "", text.strip()
    lines = text.splitlines()
    before, after = lines[:at], lines[at + 1 :]
    while before and (not before[-1].strip() or _RULE.match(before[-1])):
        before.pop()
    rest = [line for line in after if line.strip() and not _RULE.match(line)]
    working = "\n".join(before + rest).strip()
    return working, lines[at].strip()


def sets_apart(text: str) -> bool:
    """Whether an answer sets its end apart."""
    return _line_of_answer(text) is not None


def _line_of_answer(text: str) -> int | None:
    """The number of the line that the answer stands in; None where it is not set apart."""
    marks = list(_MARK.finditer(text))
    if marks:
        return text.count("\n", 0, marks[-1].start())
    final = final_answer(text)
    if final is None or not final.marked:
        return None
    return text.count("\n", 0, text.rindex(final.text))


def unboxed(answer: str) -> str:
    r"""The answer as people read it, where the mark was our own wish: ``\boxed{72}`` becomes ``72``."""
    if "\\boxed" not in answer:
        return answer
    return _BOX.sub(r"\1", _AROUND.sub("", answer)).strip()
