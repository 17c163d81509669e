def word_frequency(text):
    """How often each word occurs, the words in lower case."""
    raise NotImplementedError
