"""What a key may still use: requests and tokens a minute, tokens a day.

A request is admitted or refused in one step without waiting, so that the count is exact however many come at
once. Its tokens are only known afterwards: an estimate is set aside, and settled when the answer has ended.
"""

import math
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from msgspec import Struct

from isthmus.errors import RateLimited
from isthmus.ledger import KeyInfo
from isthmus.ledger.clock import Clock, utc_now

_MINUTE_S = 60.0
_DEAREST_GUESS = 32_768
"""The most tokens that are set aside for a request: a large body is likely an image, which takes few."""


class Bucket:
    """A token bucket: it holds ``capacity``, and is filled at that much a minute. It may be in debt."""

    __slots__ = ("_at", "_level", "capacity")

    def __init__(self, capacity: int, now: float) -> None:
        self.capacity = capacity
        self._level = float(capacity)
        self._at = now

    def level(self, now: float) -> float:
        """What it holds at a moment, in seconds of any clock that only goes forward."""
        grown = self._level + (now - self._at) * self.capacity / _MINUTE_S
        self._level, self._at = min(grown, float(self.capacity)), now
        return self._level

    def take(self, amount: float) -> None:
        """Take from it, or give back where the amount is negative."""
        self._level = min(self._level - amount, float(self.capacity))

    def wait_s(self, amount: float, now: float) -> float:
        """How long until it holds ``amount``."""
        return max(0.0, amount - self.level(now)) * _MINUTE_S / self.capacity


class Standing(Struct, frozen=True):
    """One limit and what is left of it; ``reset_s`` is when all of it will be there again."""

    limit: int
    remaining: int
    reset_s: float


class Allowance:
    """What one key has left.

    Args:
        key: The key.
        now: The moment, in seconds of the limiter's clock.
        used_today: Tokens that it has had today.
        today: Which day that is.
    """

    def __init__(self, key: KeyInfo, now: float, used_today: int, today: date) -> None:
        self.key = key
        self._requests = Bucket(key.rpm, now) if key.rpm is not None else None
        self._tokens = Bucket(key.tpm, now) if key.tpm is not None else None
        self._used = used_today
        self._today = today

    def admit(self, guess: int, now: float, at: datetime) -> None:
        """Take one request and a guess of its tokens.

        Raises:
            RateLimited: There is no room for it.
        """
        requests, tokens = self._requests, self._tokens
        if requests is not None and (wait := requests.wait_s(1, now)) > 0:
            raise self._refused(f"may make {requests.capacity} requests a minute", wait, "--rpm")
        if tokens is not None and (wait := tokens.wait_s(max(guess, 1), now)) > 0:
            raise self._refused(f"may use {tokens.capacity} tokens a minute", wait, "--tpm")
        self._check_day(at)
        if requests is not None:
            requests.take(1)
        self.spend(guess, at)

    def spend(self, tokens: int, at: datetime) -> None:
        """Count tokens; fewer than none are given back."""
        if self._tokens is not None:
            self._tokens.take(tokens)
        if at.date() != self._today:
            self._today, self._used = at.date(), 0
        self._used = max(0, self._used + tokens)

    def standings(self, now: float) -> tuple[Standing | None, Standing | None]:
        """What is left of its requests and tokens a minute."""
        return _standing(self._requests, now), _standing(self._tokens, now)

    def _check_day(self, at: datetime) -> None:
        most = self.key.tokens_day
        if most is None:
            return
        used = self._used if at.date() == self._today else 0
        if used >= most:
            midnight = datetime.combine(at.date() + timedelta(days=1), datetime.min.time(), UTC)
            wait = (midnight - at).total_seconds()
            raise self._refused(f"may use {most} tokens a day (UTC), and has", wait, "--tokens-day")

    def _refused(self, what: str, wait_s: float, flag: str) -> RateLimited:
        seconds, name = max(1, math.ceil(wait_s)), self.key.name
        return RateLimited(
            f"the key {name!r} {what}; try again in {seconds} s",
            retry_after_s=seconds,
            hint=f"isthmus key limit {name} {flag} N",
        )


class Limiter:
    """The allowances of all keys.

    Args:
        used_today: Tokens that a key has had today, as the ledger knows.
        clock: Seconds that only go forward.
        now: The time, for the day.
    """

    def __init__(
        self,
        used_today: Callable[[str], int],
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Clock = utc_now,
    ) -> None:
        self._used_today = used_today
        self._clock = clock
        self._now = now
        self._allowances: dict[str, Allowance] = {}

    def admit(self, key: KeyInfo, body_bytes: int) -> "Admission | None":
        """Admit a request of a key; None where the key has no limits.

        Args:
            key: The caller's.
            body_bytes: The size of its body, from which its tokens are guessed.

        Raises:
            RateLimited: It has had its share for now.
        """
        allowance = self._allowance(key)
        if allowance is None:
            return None
        # Never more than a full bucket, which all else would then wait for.
        guess = min(body_bytes // 4, _DEAREST_GUESS, key.tpm or _DEAREST_GUESS)
        allowance.admit(guess, self._clock(), self._now())
        return Admission(allowance, guess, self._now)

    def headers(self, key: KeyInfo) -> list[tuple[bytes, bytes]]:
        """What is left, as OpenAI's API says it: ``x-ratelimit-*``."""
        allowance = self._allowance(key)
        if allowance is None:
            return []
        found: list[tuple[bytes, bytes]] = []
        for name, standing in zip(("requests", "tokens"), allowance.standings(self._clock()), strict=True):
            if standing is not None:
                said = (
                    ("limit", str(standing.limit)),
                    ("remaining", str(standing.remaining)),
                    ("reset", _duration(standing.reset_s)),
                )
                found += [(f"x-ratelimit-{what}-{name}".encode(), value.encode()) for what, value in said]
        return found

    def _allowance(self, key: KeyInfo) -> Allowance | None:
        if key.rpm is None and key.tpm is None and key.tokens_day is None:
            self._allowances.pop(key.name, None)
            return None
        found = self._allowances.get(key.name)
        if found is None or (found.key is not key and found.key.limits != key.limits):
            # Asked in the event loop: it is a millisecond or two, once for each key, and nobody may slip by.
            used = self._used_today(key.name) if key.tokens_day is not None else 0
            found = Allowance(key, self._clock(), used, self._now().date())
            self._allowances[key.name] = found
        found.key = key
        return found


class Admission:
    """A request that was admitted. It must be settled once it has ended."""

    __slots__ = ("_allowance", "_guess", "_now")

    def __init__(self, allowance: Allowance, guess: int, now: Clock) -> None:
        self._allowance = allowance
        self._guess = guess
        self._now = now

    def settle(self, tokens: int) -> None:
        """Replace the guess by the tokens that the request did take."""
        self._allowance.spend(tokens - self._guess, self._now())


def _standing(bucket: Bucket | None, now: float) -> Standing | None:
    if bucket is None:
        return None
    left = max(0, math.floor(bucket.level(now)))
    return Standing(bucket.capacity, left, bucket.wait_s(bucket.capacity, now))


def _duration(seconds: float) -> str:
    """A time as OpenAI's headers have it: 20ms, 1.5s, 6m0s."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:.0f}m{rest:.0f}s" if minutes else f"{rest:.3f}".rstrip("0").rstrip(".") + "s"
