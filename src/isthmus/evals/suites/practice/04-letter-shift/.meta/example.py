from string import ascii_lowercase, ascii_uppercase


def shift(text, by):
    """The text with its letters moved on in the alphabet."""
    by %= 26
    moved = "".join(letters[by:] + letters[:by] for letters in (ascii_lowercase, ascii_uppercase))
    return text.translate(str.maketrans(ascii_lowercase + ascii_uppercase, moved))
