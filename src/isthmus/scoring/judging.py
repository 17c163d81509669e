"""Answers that no rule can judge. Who judges them is injected: a model, or a person."""

from typing import Protocol

from isthmus.scoring.verdict import Verdict


class Judge(Protocol):
    """Judges an answer."""

    async def __call__(self, question: str, answer: str, gold: str) -> Verdict:
        """Whether an answer says what is right."""
        ...
