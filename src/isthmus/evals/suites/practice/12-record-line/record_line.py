def parse(line):
    """The fields of a line of comma-separated values."""
    raise NotImplementedError


def render(fields):
    """The line of comma-separated values that holds the fields."""
    raise NotImplementedError
