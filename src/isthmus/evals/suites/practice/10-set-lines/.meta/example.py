def set_lines(text, width):
    """The text in justified lines of at most so many characters."""
    if width < 1:
        raise ValueError("a width below 1")
    lines = [[]]
    for word in _pieces(text, width):
        if lines[-1] and len(" ".join([*lines[-1], word])) > width:
            lines.append([])
        lines[-1].append(word)
    if not lines[-1]:
        return []
    return [_justified(words, width) for words in lines[:-1]] + [" ".join(lines[-1])]


def _pieces(text, width):
    for word in text.split():
        for start in range(0, len(word), width):
            yield word[start : start + width]


def _justified(words, width):
    if len(words) == 1:
        return words[0]
    each, more = divmod(width - sum(map(len, words)), len(words) - 1)
    gaps = [" " * (each + (place < more)) for place in range(len(words) - 1)]
    return "".join(word + gap for word, gap in zip(words, [*gaps, ""], strict=True))
