def running_total(numbers):
    """The sums of the first, the first two, the first three ... numbers."""
    raise NotImplementedError
