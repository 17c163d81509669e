"""Results, cells and plans as tests want them."""

from decimal import Decimal

from isthmus.evals.data import Source
from isthmus.evals.plans import Cell, Plan, Subject, Terms
from isthmus.evals.results import Result
from isthmus.evals.spending import Spent

SOURCE = Source("gsm8k", "/data/test.jsonl", "ab" * 32)
HOME, BOTH = Subject("tiny"), Subject("tiny", None, "auto")
HOSTED = Subject("tiny", None, "always")


def plan(*subjects, attempts=1, source=SOURCE):
    return Plan((source,), subjects or (HOME,), Terms(attempts))


def results(subject, outcomes, *, source=SOURCE, handed=(), cost="0.002", clusters=None):
    """One result for each letter: r right, w wrong, e error; several attempts are words of letters."""
    slug = Cell(source, subject).slug
    words = outcomes.split() if " " in outcomes else list(outcomes)
    return [
        Result(
            cell=slug,
            problem=str(number),
            attempt=attempt,
            outcome={"r": "right", "w": "wrong", "e": "error"}[letter],
            cluster=clusters[number] if clusters else None,
            question=f"Question {number}?",
            gold="42",
            answer=f"{subject.label} says {letter}",
            why="because" if letter != "e" else "the endpoint is gone",
            stop="stop",
            seconds=1.0 + number,
            spent=_spent(number in handed, cost),
        )
        for number, word in enumerate(words)
        for attempt, letter in enumerate(word, start=1)
    ]


def _spent(handed, cost):
    if handed:
        return Spent(hosted=1, cost_usd=Decimal(cost), completion_tokens=9, model="gpt", provider="openai")
    return Spent(local=1, completion_tokens=5, model="tiny", digest="cd" * 32)
