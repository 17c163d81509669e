import re
from collections import Counter


def word_frequency(text):
    """How often each word occurs, the words in lower case."""
    return dict(Counter(re.findall(r"[^\W_]+(?:'[^\W_]+)*", text.lower())))
