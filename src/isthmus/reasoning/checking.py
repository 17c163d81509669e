"""A second look where a vote stays open: the model is asked of each of the two leaders whether it is right.

What counts is not what it says but how likely "Yes" was beside "No", after Kadavath et al. 2022, "Language
Models (Mostly) Know What They Know" (arXiv 2207.05221, section 4). It is weighed with the votes, never alone:
small models think well of most of what they have written.
"""

import math
from collections.abc import Sequence
from contextlib import aclosing

from msgspec.structs import replace

from isthmus.generator import Generator
from isthmus.messages import (
    Finish,
    GenerationRequest,
    Message,
    ReasoningDelta,
    TextDelta,
    TokenScore,
    TokenScores,
)
from isthmus.reasoning.prompts import Prompts
from isthmus.reasoning.spending import Run
from isthmus.reasoning.vote import Candidate

LOOKED_AT = 2
"""Candidates that are worth a second look."""
TOKENS = 2
"""Of a verdict: one for the word, one for a blank before it."""
_RIVALS = 10


async def p_right(home: Generator, prompts: Prompts, question: str, answer: str, run: Run) -> float | None:
    """P("Yes" | "Yes" or "No") that an answer is right, by the model's own tokens; None: it said neither.

    Args:
        home: The model.
        prompts: How it is asked.
        question: What was asked.
        answer: The worked answer.
        run: Where the tokens are counted.

    Raises:
        IsthmusError: The model failed.
    """
    # Not by format(): what people and models write has braces of its own.
    words = prompts.check.replace("{question}", question, 1).replace("{answer}", answer, 1)
    request = GenerationRequest(
        (Message("user", words),), max_tokens=TOKENS, temperature=0, top_logprobs=_RIVALS
    )
    scores: list[TokenScore] = []
    async with aclosing(home.stream(request)) as events:
        async for event in events:
            if isinstance(event, TextDelta | ReasoningDelta | TokenScores | Finish):
                run.take(event)
            if isinstance(event, TokenScores):
                scores.extend(event.tokens)
    return next((p for each in scores if (p := _yes(each.top)) is not None), None)


def _yes(rivals: Sequence[TokenScore]) -> float | None:
    yes, no = (
        math.fsum(math.exp(each.logprob) for each in rivals if each.token.strip().casefold() == word)
        for word in ("yes", "no")
    )
    return yes / (yes + no) if yes + no > 0 else None


def reweighed(candidates: Sequence[Candidate], right: Sequence[float | None]) -> list[Candidate]:
    """The candidates by what they weigh after a second look; one that was not looked at is left as it was.

    Args:
        candidates: The strongest first.
        right: P(right) of the first ones of them; None where the model didn't say.
    """
    said = [each for each in right if each is not None]
    usual = sum(said) / len(said) if said else 1.0
    # Beside the usual one, so that candidates which were not looked at are neither better nor worse for it.
    factors = [1.0 if each is None or not usual else each / usual for each in right]
    factors += [1.0] * (len(candidates) - len(factors))
    weighed = [
        replace(each, weight=each.weight * factor) for each, factor in zip(candidates, factors, strict=True)
    ]
    return sorted(weighed, key=lambda each: (-each.weight, min(each.samples)))
