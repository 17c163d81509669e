from itertools import accumulate


def running_total(numbers):
    """The sums of the first, the first two, the first three ... numbers."""
    return list(accumulate(numbers))
