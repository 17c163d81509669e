"""Common sense, set by hand: where the weights are held until labels speak louder.

Logits that one unit of a feature adds, for P(local wrong) and P(hosted right). Whoever calibrates on sums
alone keeps the sense that a summary is light work and a proof is not; whoever has twenty rows gets little
more than this. Nothing here was fitted to a set that it is measured on.
"""

from typing import NamedTuple


class Sense(NamedTuple):
    """What a unit of a feature adds to either logit, and the least spread it is measured by.

    The spread's floor keeps a feature that training hardly saw from being cut off where it is used.
    """

    wrong: float
    right: float = 0.0
    least_spread: float = 0.0


SENSE: dict[str, Sense] = {
    # The question.
    "length": Sense(0.15, -0.05, 0.5),
    "numbers": Sense(0.22, -0.03, 2.0),
    "ratios": Sense(0.25, -0.05, 1.0),
    "clauses": Sense(0.10, -0.02, 2.0),
    "conditions": Sense(0.20, -0.05, 0.7),
    "comparisons": Sense(0.10, 0.0, 0.8),
    "sums asked": Sense(0.50, 0.0, 0.34),
    "abstract": Sense(0.90, -0.20, 0.7),
    "engineering": Sense(0.80, -0.10, 0.7),
    "analysis": Sense(0.70, 0.0, 0.5),
    "rework": Sense(-1.80, 0.20, 0.34),
    "open-ended": Sense(-1.2, 0.1, 0.34),
    "very long": Sense(-0.30, 0.0, 0.34),
    "formulas": Sense(0.25, -0.05, 0.7),
    "code": Sense(0.40, 0.0, 0.34),
    "decimals": Sense(0.10, -0.05, 0.34),
    # The answer's form, sums, doubts and loops.
    "answer empty": Sense(2.5, 0.0, 0.34),
    "answer cut": Sense(1.5, -0.3, 0.34),
    "answer unmarked": Sense(0.5, 0.0, 0.34),
    "answer without number": Sense(1.0, 0.0, 0.34),
    "answer not whole": Sense(0.5, 0.0, 0.34),
    "answer not countable": Sense(0.8, 0.0, 0.34),
    "answer not positive": Sense(0.8, 0.0, 0.34),
    "sums wrong": Sense(0.9, -0.1, 0.7),
    "sums fractional": Sense(0.2, 0.0, 0.8),
    "sums negative": Sense(0.5, 0.0, 0.34),
    "numbers unused": Sense(1.8, 0.0, 0.15),
    "numbers brought in": Sense(0.25, 0.0, 0.8),
    "final not computed": Sense(0.6, 0.0, 0.34),
    "final not last": Sense(0.5, 0.0, 0.34),
    "result unused": Sense(1.0, 0.0, 0.2),
    "hedges": Sense(0.3, 0.0, 0.7),
    "refuses": Sense(1.5, 0.0, 0.34),
    "repetition": Sense(1.0, -0.2, 0.15),
    "loops": Sense(2.0, -0.2, 0.34),
    "code broken": Sense(1.5, 0.0, 0.34),
    "fence open": Sense(0.8, 0.0, 0.34),
    # Its tokens and its second opinions.
    "surprise": Sense(6.0, 0.0, 0.05),
    "surprise q90": Sense(1.0, 0.0, 0.15),
    "tokens": Sense(0.5, -0.3, 0.3),
    "first surprise": Sense(1.5, 0.0, 0.1),
    "samples agree": Sense(-2.0, 0.2, 0.35),
    # What the question said goes on counting.
    "question": Sense(0.8, 0.0, 0.5),
    "question for the hosted model": Sense(0.0, 0.8, 0.5),
}


def sense_of(name: str) -> Sense:
    """What common sense says of a feature; of most, nothing."""
    return SENSE.get(name, _NONE)


_NONE = Sense(0.0)
