"""Whether an answer is right, by rules: exact, numeric, choice. A judge that is a model has no place here."""

from isthmus.scoring.final import FinalAnswer, final_answer, quantities, quantity
from isthmus.scoring.graders import GRADERS, Grading, grade, grading_of

__all__ = [
    "GRADERS",
    "FinalAnswer",
    "Grading",
    "final_answer",
    "grade",
    "grading_of",
    "quantities",
    "quantity",
]
