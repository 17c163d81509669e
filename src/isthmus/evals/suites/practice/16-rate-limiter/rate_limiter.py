class RateLimiter:
    """A token bucket for each key."""

    def __init__(self, rate, burst, clock):
        raise NotImplementedError

    def allow(self, key, cost=1):
        raise NotImplementedError

    def wait(self, key, cost=1):
        raise NotImplementedError

    def forget_idle(self):
        raise NotImplementedError

    def __len__(self):
        raise NotImplementedError
