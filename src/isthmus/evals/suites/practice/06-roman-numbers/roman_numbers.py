def to_roman(number):
    """The number, from 1 to 3999, in Roman numerals."""
    raise NotImplementedError


def from_roman(text):
    """The number that the Roman numerals mean."""
    raise NotImplementedError
