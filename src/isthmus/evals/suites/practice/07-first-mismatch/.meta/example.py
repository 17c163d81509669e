PAIRS = {")": "(", "]": "[", "}": "{"}


def first_mismatch(code):
    """The position of the first bracket that goes wrong; -1 if none does."""
    opened, quote, escaped = [], None, False
    for position, character in enumerate(code):
        if quote:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == quote:
                quote = None
        elif character in "\"'":
            quote = character
        elif character in PAIRS.values():
            opened.append((character, position))
        elif character in PAIRS and (not opened or opened.pop()[0] != PAIRS[character]):
            return position
    return opened[0][1] if opened else -1
