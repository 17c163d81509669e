"""Whether other answers come to the same: self-consistency (Wang et al. 2022, arXiv 2203.11171).

Only answers that end on a value are compared. Two poems share few words however good they are, so of prose
further answers say nothing, and none are drawn.
"""

from isthmus.handoff.judging import LocalAnswer
from isthmus.scoring import comes_to

AGREEMENT = "samples agree"
"""The feature's name."""


def agreement(answer: LocalAnswer) -> float | None:
    """The share of further answers that come to the same; None where nothing can be compared."""
    if answer.voted is not None:
        return answer.voted
    said = comes_to(answer.text)
    if said is None or not answer.samples:
        return None
    return sum(comes_to(sample) == said for sample in answer.samples) / len(answer.samples)
