"""What answering one problem took: calls, tokens, money, time, and who answered."""

from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from isthmus.wire.gathered import Completion


class Spent(Struct, frozen=True, omit_defaults=True):
    """The sum over a problem's calls.

    ``local`` and ``hosted`` count the calls that each side answered; ``model_s`` is the time that they took,
    one after the other. ``score`` is the estimate behind the last decision, where there was one.
    """

    local: int = 0
    hosted: int = 0
    cost_usd: Decimal = Decimal(0)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    model_s: float = 0.0
    model: str = ""
    provider: str | None = None
    digest: str | None = None
    reason: str = ""
    score: float | None = None

    def plus(self, completion: Completion, seconds: float, digest: str | None) -> "Spent":
        """With one more call.

        Args:
            completion: Its whole answer.
            seconds: What it took.
            digest: The local model's weights.
        """
        route, last, usage = completion.route, completion.last, completion.usage
        away = route is not None and route.decision.target == "hosted"
        cost = last.cost_usd if last else None
        return Spent(
            local=self.local + (not away),
            hosted=self.hosted + away,
            cost_usd=self.cost_usd + (cost or 0),
            prompt_tokens=self.prompt_tokens + usage.prompt_tokens,
            completion_tokens=self.completion_tokens + usage.completion_tokens,
            reasoning_tokens=self.reasoning_tokens + usage.reasoning_tokens,
            model_s=self.model_s + seconds,
            model=route.model if route else self.model,
            provider=route.provider if route else self.provider,
            digest=digest or self.digest,
            reason=route.decision.reason if route else self.reason,
            score=route.decision.evidence.score if route else self.score,
        )

    def to_store(self) -> dict[str, Any]:
        """As it is kept in a sample's store, which holds plain JSON."""
        return msgspec.to_builtins(self)


def spent_from(kept: object) -> Spent:
    """What an entry of a sample's store says was spent; nothing where there is none."""
    return msgspec.convert(kept, Spent, strict=False) if kept else Spent()


KEY = "isthmus"
"""Under which name of the store it is kept."""
