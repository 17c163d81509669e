"""A circuit breaker: a provider that fails again and again is left alone for a while.

    closed ──n failures in a row──> open ──its rest is over──> half open ──an answer begins──> closed
                                      ^                            │
                                      └─────────a failure──────────┘

Half open, one question at a time tries the provider; the others are told that it rests. Each time the try
fails, the next rest is twice as long, up to eight times the first.
"""

import time
from collections.abc import Callable
from typing import Literal, TypeAlias

from msgspec import Struct

State: TypeAlias = Literal["closed", "open", "half_open"]
Monotonic: TypeAlias = Callable[[], float]
"""A clock of seconds that never goes back."""

_LONGEST = 8
"""Times the first rest."""


class Health(Struct, frozen=True):
    """How a provider does: failures in a row, and seconds until it is asked again."""

    state: State
    failures: int
    rests_s: float


class Breaker:
    """Counts one provider's failures, and says whether it may be asked.

    Args:
        failures: After how many in a row it opens.
        rest_s: How long it rests then.
        now: The clock.
    """

    def __init__(self, failures: int, rest_s: float, *, now: Monotonic = time.monotonic) -> None:
        self._limit = failures
        self._rest_s = rest_s
        self._now = now
        self._failures = 0
        self._rests = 0  # in a row
        self._until: float | None = None  # None while closed
        self._probing = False

    @property
    def health(self) -> Health:
        """How the provider does."""
        if self._until is None:
            return Health("closed", self._failures, 0.0)
        left = max(0.0, self._until - self._now())
        return Health("open" if left else "half_open", self._failures, left)

    @property
    def admits(self) -> bool:
        """Whether a question may be sent now."""
        state = self.health.state
        return state == "closed" or (state == "half_open" and not self._probing)

    def take(self) -> bool:
        """Whether the caller may ask now; if so, it must report how that went, by one of those below."""
        if not self.admits:
            return False
        self._probing = self._until is not None
        return True

    def begun(self) -> None:
        """An answer has begun. It isn't whole yet, so that one more failure would open the circuit again."""
        if self._until is not None:
            self._until, self._probing, self._failures = None, False, self._limit - 1

    def succeeded(self) -> None:
        """It works: its answer is whole, or it has said no, and why."""
        self._until, self._probing, self._failures, self._rests = None, False, 0, 0

    def failed(self) -> None:
        """It doesn't."""
        state = self.health.state
        self._failures += 1
        if state == "open":
            return  # asked before the circuit opened; it knows nothing newer
        self._probing = False
        if state == "half_open" or self._failures >= self._limit:
            self._until = self._now() + self._rest_s * min(2**self._rests, _LONGEST)
            self._rests += 1

    def released(self) -> None:
        """Nobody knows: the caller went away, or didn't ask after all."""
        self._probing = False
