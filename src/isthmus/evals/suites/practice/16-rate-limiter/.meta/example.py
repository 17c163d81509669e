class RateLimiter:
    """A token bucket for each key."""

    def __init__(self, rate, burst, clock):
        if rate <= 0 or burst <= 0:
            raise ValueError("rate and burst are above 0")
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._buckets = {}

    def allow(self, key, cost=1):
        tokens, now = self._tokens(key, cost)
        allowed = tokens >= cost
        self._buckets[key] = (tokens - cost if allowed else tokens, now)
        return allowed

    def wait(self, key, cost=1):
        tokens, _ = self._tokens(key, cost)
        return max(0.0, (cost - tokens) / self._rate)

    def forget_idle(self):
        full = [key for key in self._buckets if self._filled(key, self._clock()) >= self._burst]
        for key in full:
            del self._buckets[key]
        return len(full)

    def __len__(self):
        return len(self._buckets)

    def _tokens(self, key, cost):
        if not 0 < cost <= self._burst:
            raise ValueError(f"a cost of {cost} with a burst of {self._burst}")
        now = self._clock()
        tokens = self._filled(key, now)
        if key in self._buckets and now < self._buckets[key][1]:
            self._buckets[key] = (tokens, now)
        return tokens, now

    def _filled(self, key, now):
        if key not in self._buckets:
            return self._burst
        tokens, since = self._buckets[key]
        return min(self._burst, tokens + max(0, now - since) * self._rate)
