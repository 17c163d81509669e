"""Policies replayed on the pool, and what each came to."""

from msgspec import Struct

from benchmarks.reasoning_pool import NotDrawn, Recorded
from isthmus.scoring import score_asserts


class Outcome(Struct, frozen=True):
    """What a policy came to with one question.

    ``right`` is 1 or 0, or the share of those that are where it stands for the mean of several draws.
    """

    right: float
    tokens: float
    seconds: float
    samples: int | None = None
    agreement: float | None = None


async def replay(policy, questions, pool, model, pace=None):
    """The outcomes by question's row; a question that the pool has too little of is left out."""
    found = {}
    for question in questions:
        recorded = Recorded(pool, question, model, pace=pace)
        try:
            answer = await policy.answer(question, recorded)
        except NotDrawn:
            continue
        found[question.row] = Outcome(
            float(await right(question, answer.text)),
            answer.tokens,
            round(answer.seconds, 2),
            answer.samples,
            answer.agreement,
        )
    return found


async def one_of(policy, questions, pool, model, pace=None):
    """The mean of what each single draw of a policy comes to: one sample, as it would be on average."""
    found = {}
    for question in questions:
        recorded = Recorded(pool, question, model)
        try:
            await policy.answer(question, recorded)
        except NotDrawn:
            continue
        draws = recorded.draws
        alone = [draw.tokens * pace.step_s(1) + pace.prompt_s(draw.prompt_tokens) for draw in draws if pace]
        found[question.row] = Outcome(
            _mean([float(await right(question, draw.text)) for draw in draws]),
            _mean([draw.tokens for draw in draws]),
            round(_mean(alone or [0.0]), 2),
        )
    return found


async def right(question, text):
    """Whether an answer is: its number, or its program by the tests that no prompt has shown."""
    if question.set == "gsm8k":
        return question.right(text)
    verdict = await score_asserts(text, question.gold, setup=question.setup)
    return verdict.right


def _mean(values):
    return sum(values) / len(values)
