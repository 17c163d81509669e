"""Answers that pick one of several options.

A letter is looked for where published harnesses agree that it is, as MMLU-Pro's `extract_answer` and
simple-evals' `ANSWER_PATTERN_MULTICHOICE` do: set apart as the answer ("the answer is (C)", "Answer: C", a
box), or said first. What they fall back on, the last capital letter of the text, picks "I" and "A" out of
sentences, and guesses between two that are weighed: here the letter must then be the only one named.
"""

import re
from collections.abc import Sequence
from string import ascii_uppercase

from isthmus.scoring.final import final_answer
from isthmus.scoring.texts import plain
from isthmus.scoring.verdict import Verdict, compared

# "A train" opens with an article, "I think" with a pronoun: neither picks a choice.
_LETTER = re.compile(r"(?<![A-Za-z])\(?([B-HJ]|[AI](?! [a-z]))\)?(?![A-Za-z'])")
_OPENING_LETTER = re.compile(r"^\W*([B-HJb-hj]|[AIai](?! [A-Za-z]))(?:\W|$)")
_ALONE = re.compile(r"\W*([A-Ja-j])\W*")


def score_choice(
    answer: str, gold: str, *, letters: str = ascii_uppercase[:10], options: Sequence[str] = ()
) -> Verdict:
    """Whether the answer picks the right option.

    Args:
        answer: What was answered.
        gold: The right letter.
        letters: The letters that there are to pick from.
        options: What they stand for, in their order; an answer that ends on one's words picks it.
    """
    wanted = gold.strip().strip("().").upper()
    said = letter_of(answer)
    if said is not None and said not in letters:
        said = None
    if said is None:
        said = _by_words(answer, letters, options)
    return compared(said, wanted, right=bool(wanted) and said == wanted)


def letter_of(answer: str) -> str | None:
    """The letter that an answer picks: the marked one, the one it opens with, or the only one it names."""
    final = final_answer(answer)
    if final and final.marked:
        if alone := _ALONE.fullmatch(final.text):
            return alone[1].upper()
        if letter := _LETTER.search(final.text):
            return letter[1]
    if opening := _OPENING_LETTER.match(answer):
        return opening[1].upper()
    named = set(_LETTER.findall(answer))
    return named.pop() if len(named) == 1 else None


def _by_words(answer: str, letters: str, options: Sequence[str]) -> str | None:
    """The letter of the option whose very words the answer ends on."""
    final = final_answer(answer)
    lines = answer.strip().splitlines()
    said = {plain(each) for each in (final.text if final else "", lines[-1] if lines else "")}
    found = [letter for letter, option in zip(letters, options, strict=False) if plain(option) in said - {""}]
    return found[0] if len(found) == 1 else None
