"""Requests that are over, without a server."""

from datetime import UTC, datetime
from decimal import Decimal

from isthmus.ledger import KeyInfo, QuestionRecord
from isthmus.messages import GenerationRequest, Message, Timings
from isthmus.runtime.observing import Answered
from isthmus.server.exchange import Exchange

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
QUESTION, ANSWER = "what is the secret word?", "swordfish"
KEY = KeyInfo("team", "isk-abcd", ("infer",), NOON)


def answered(**changes):
    plain = {
        "id": "question-1",
        "at": NOON,
        "source": "api",
        "mode": "auto",
        "target": "hosted",
        "reason": "looks_hard",
        "stage": "estimate",
        "model": "large",
        "local_model": "small",
        "provider": "cloud",
        "prompt_tokens": 100,
        "completion_tokens": 21,
        "reasoning_tokens": 5,
        "cached_tokens": 80,
        "cost_usd": Decimal("0.25"),
        "first_token_s": 0.5,
        "total_s": 2.5,
        "outcome": "complete",
        "prompt_digest": "a" * 64,
        "key": "team",
    }
    request = GenerationRequest((Message("user", QUESTION),), max_tokens=50, temperature=0.5)
    return Answered(
        QuestionRecord(**{**plain, **changes}), request, ("stop",), Timings(wait_s=0.1), ["sword", "fish"]
    )


def exchange(*answers, template="/v1/chat/completions", status=200, headers=(), key=KEY, error=None):
    scope = {
        "method": "POST",
        "path": template,
        "headers": [(name.encode(), value.encode()) for name, value in headers],
        "server": ("127.0.0.1", 4774),
    }
    over = Exchange(scope)
    over.status, over.key, over.error = status, key, error
    for each in answers:
        over.finished(each)
    over.end(template, lambda _: None)
    return over
