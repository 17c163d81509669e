class RecentCache:
    """Keys and values, of which those longest out of use are forgotten."""

    def __init__(self, capacity, on_forget=None):
        if capacity < 1:
            raise ValueError("a capacity below 1")
        self._capacity = capacity
        self._on_forget = on_forget
        self._values = {}

    def put(self, key, value):
        self._values.pop(key, None)
        self._values[key] = value
        if len(self._values) > self._capacity:
            oldest = next(iter(self._values))
            forgotten = self._values.pop(oldest)
            if self._on_forget is not None:
                self._on_forget(oldest, forgotten)

    def get(self, key, default=None):
        if key not in self._values:
            return default
        self._values[key] = value = self._values.pop(key)
        return value

    def peek(self, key, default=None):
        return self._values.get(key, default)

    def keys(self):
        return list(self._values)

    def __len__(self):
        return len(self._values)

    def __contains__(self, key):
        return key in self._values
