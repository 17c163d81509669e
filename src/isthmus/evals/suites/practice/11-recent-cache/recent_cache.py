class RecentCache:
    """Keys and values, of which those longest out of use are forgotten."""

    def __init__(self, capacity, on_forget=None):
        raise NotImplementedError

    def put(self, key, value):
        raise NotImplementedError

    def get(self, key, default=None):
        raise NotImplementedError

    def peek(self, key, default=None):
        raise NotImplementedError

    def keys(self):
        raise NotImplementedError

    def __len__(self):
        raise NotImplementedError

    def __contains__(self, key):
        raise NotImplementedError
