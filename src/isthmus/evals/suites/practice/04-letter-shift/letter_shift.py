def shift(text, by):
    """The text with its letters moved on in the alphabet."""
    raise NotImplementedError
