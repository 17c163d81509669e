def evaluate(text, names=None):
    """The value of an arithmetic expression."""
    raise NotImplementedError
