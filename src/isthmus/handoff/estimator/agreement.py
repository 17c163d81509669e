"""Whether other answers come to the same: self-consistency (Wang et al. 2022, arXiv 2203.11171).

Answers that end on a value are compared by it, others by the words that they share.
"""

from collections import Counter

from isthmus.handoff.estimator.words import seen, words
from isthmus.handoff.judging import LocalAnswer
from isthmus.scoring import final_answer, quantity


def agreement_features(answer: LocalAnswer) -> dict[str, float]:
    """How far the samples agree with the answer and with each other; empty without samples."""
    if not answer.samples:
        return {}
    said = _comes_to(answer.text)
    others = [_comes_to(sample) for sample in answer.samples]
    if said is None and all(other is None for other in others):
        shared = [_shared_words(answer.text, sample) for sample in answer.samples]
        alike = sum(shared) / len(shared)
        return {"samples agree": alike, "samples divided": 1 - alike, "samples open": 0.0}
    together = [each for each in (said, *others) if each is not None]
    most = max(Counter(together).values(), default=0)
    return {
        "samples agree": sum(other is not None and other == said for other in others) / len(others),
        "samples divided": 1 - most / (1 + len(others)),
        "samples open": sum(other is None for other in others) / len(others),
    }


def _comes_to(text: str) -> str | None:
    """The value an answer ends on, in one spelling; None where it marks none."""
    final = final_answer(text)
    if final is None:
        return None
    value = quantity(final.text)
    if value is not None:
        return str(value)
    return final.text.casefold() if final.marked else None


def _shared_words(one: str, other: str) -> float:
    left, right = set(words(seen(one))), set(words(seen(other)))
    return len(left & right) / len(left | right) if left | right else 1.0
