def set_lines(text, width):
    """The text in justified lines of at most so many characters."""
    raise NotImplementedError
