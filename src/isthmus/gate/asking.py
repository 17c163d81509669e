"""How a prompt of a suite is asked: the same words and the same dice, whoever answers."""

from isthmus.gate.policy import Sampling
from isthmus.gate.suites import Question
from isthmus.messages import GenerationRequest, Message

_CONTEXT = "{context}\n\n---\n\n{text}"
"""As HarmBench puts a behaviour's context before it."""


def request_of(question: Question, sampling: Sampling, sample: int) -> GenerationRequest:
    """What is asked of a model, for one of a prompt's samples.

    Args:
        question: The prompt.
        sampling: As the policy says.
        sample: Which one, from 0; each has a seed of its own, the same in every run.
    """
    text = question.text
    if question.context:
        text = _CONTEXT.format(context=question.context, text=text)
    opening = (Message("system", sampling.system),) if sampling.system else ()
    return GenerationRequest(
        messages=(*opening, Message("user", text)),
        max_tokens=sampling.max_tokens,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        seed=sampling.seed + sample,
        effort=sampling.effort,
    )
