"""Answers that are texts: the same words, or a pattern that is found."""

import re

import re2

from isthmus.errors import UsageError
from isthmus.scoring.final import final_answer
from isthmus.scoring.verdict import Verdict, compared

_DRESSING = re.compile(r"[\s*_`\"'.,;:!?()\[\]{}$]+")


def score_exact(answer: str, gold: str) -> Verdict:
    """Whether the answer, its last line or its marked value is the same, but for case and punctuation."""
    wanted = plain(gold)
    final = final_answer(answer)
    lines = answer.strip().splitlines()
    candidates = [
        final.text if final and final.marked else "",
        lines[-1] if lines else "",
        answer,
        final.text if final else "",
    ]
    found = next((each for each in candidates if wanted and plain(each) == wanted), None)
    if found is not None:
        return compared(found.strip(), gold, right=True)
    return compared(next((each.strip() for each in candidates if each.strip()), None), gold, right=False)


def score_regex(answer: str, pattern: str) -> Verdict:
    """Whether a pattern is found anywhere in the answer. Its language is RE2's, which always ends.

    Raises:
        UsageError: It is no pattern.
    """
    options = re2.Options()
    options.log_errors = False
    try:
        found = next(re2.compile(pattern, options).finditer(answer), None)
    except re2.error as error:
        raise UsageError(
            f"{pattern!r} is no regular expression: {error}",
            hint="see https://github.com/google/re2/wiki/Syntax",
        ) from error
    if found is None:
        return Verdict(right=False, extracted=None, why=f"nothing in it matches {pattern}")
    start, end = found.span()
    return Verdict(right=True, extracted=answer[start:end], why=f"it matches {pattern}")


def plain(text: str) -> str:
    """A text's words."""
    return _DRESSING.sub(" ", text).strip().casefold()
