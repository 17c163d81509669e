"""Who is asked next after a failure, and when; without a clock, a network or chance of its own.

After a failure without a bill (overloaded, unreachable, an error of its own) a provider is asked again, after
a wait that grows and that respects what it asks for; meanwhile the next in line is asked at once. After one
that may have been billed it is not: an attempt may cost its worst case, so a question costs at most one worst
case for each provider. Nor is one that said no.
"""

from collections.abc import Callable
from typing import NamedTuple

from isthmus.errors import IsthmusError, ProviderError, ProviderRejected

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 8.0


class Next(NamedTuple):
    """Whom to ask, after how many seconds."""

    number: int
    wait_s: float


class _Candidate:
    def __init__(self, retries: int) -> None:
        self.retries = retries
        self.failures = 0
        self.ready_at = 0.0
        self.out = False


class Attempts:
    """The attempts of one question.

    Args:
        count: How many providers there are, in their order.
        retries: How often each may be asked again.
        deadline: When the last attempt must have begun, by the clock of the caller.
        chance: Gives numbers from 0 to 1, so that those who fail together don't come back together.
    """

    def __init__(self, count: int, *, retries: int, deadline: float, chance: Callable[[], float]) -> None:
        self._candidates = [_Candidate(retries) for _ in range(count)]
        self._deadline = deadline
        self._chance = chance
        self._errors: list[IsthmusError] = []

    @property
    def error(self) -> IsthmusError | None:
        """What to tell where nobody is left: the last failure of a provider, else the first refusal."""
        failures = [each for each in self._errors if isinstance(each, ProviderError)]
        return failures[-1] if failures else next(iter(self._errors), None)

    def next(self, now: float, admits: Callable[[int], bool]) -> Next | None:
        """Whom to ask: the first in line that is ready, else the one that is ready soonest.

        Args:
            now: The time.
            admits: Whether a provider may be asked at all.

        Returns:
            None where nobody is left, or nobody in time.
        """
        waits = [
            (max(0.0, candidate.ready_at - now), index)
            for index, candidate in enumerate(self._candidates)
            if not candidate.out and admits(index)
        ]
        if not waits:
            return None
        wait_s, index = min(waits)
        return Next(index, wait_s) if now + wait_s < self._deadline else None

    def failed(self, index: int, error: IsthmusError, now: float, *, booked: bool) -> None:
        """Take note of a failure: of a provider, or of the budget for it.

        Args:
            index: Whose.
            error: Why.
            now: The time.
            booked: Whether the attempt may have to be paid.
        """
        self._errors.append(error)
        candidate = self._candidates[index]
        candidate.failures += 1
        if booked or not _may_mend(error) or candidate.failures > candidate.retries:
            candidate.out = True
            return
        backoff = min(_FIRST_WAIT_S * 2 ** (candidate.failures - 1), _LONGEST_WAIT_S)
        asked_for = error.retry_after_s if isinstance(error, ProviderError) else None
        candidate.ready_at = now + max(asked_for or 0.0, backoff / 2) + self._chance() * backoff / 2


def _may_mend(error: IsthmusError) -> bool:
    """Whether the same provider may do better the next time."""
    return isinstance(error, ProviderError) and not isinstance(error, ProviderRejected)
