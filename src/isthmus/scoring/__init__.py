"""Whether an answer is right, by rules, or by running it. A judge that is a model is injected."""

from isthmus.scoring.choices import letter_of, score_choice
from isthmus.scoring.code import score_asserts, score_check, score_files
from isthmus.scoring.code_blocks import CodeBlock, code_blocks, code_of
from isthmus.scoring.final import FinalAnswer, comes_to, final_answer, quantities, quantity
from isthmus.scoring.graders import GRADERS, Grading, grade, grading_of
from isthmus.scoring.judging import Judge
from isthmus.scoring.numbers import score_numeric
from isthmus.scoring.schemas import score_schema
from isthmus.scoring.texts import score_exact, score_regex
from isthmus.scoring.verdict import Verdict

__all__ = [
    "GRADERS",
    "CodeBlock",
    "FinalAnswer",
    "Grading",
    "Judge",
    "Verdict",
    "code_blocks",
    "code_of",
    "comes_to",
    "final_answer",
    "grade",
    "grading_of",
    "letter_of",
    "quantities",
    "quantity",
    "score_asserts",
    "score_check",
    "score_choice",
    "score_exact",
    "score_files",
    "score_numeric",
    "score_regex",
    "score_schema",
]
