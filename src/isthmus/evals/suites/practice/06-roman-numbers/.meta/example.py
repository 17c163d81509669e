SIGNS = [
    (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"),
    (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"),
]  # fmt: skip


def to_roman(number):
    """The number, from 1 to 3999, in Roman numerals."""
    if not 1 <= number <= 3999:
        raise ValueError(f"{number} has no Roman numerals")
    text = ""
    for value, sign in SIGNS:
        times, number = divmod(number, value)
        text += sign * times
    return text


def from_roman(text):
    """The number that the Roman numerals mean."""
    rest, number = text.upper(), 0
    for value, sign in SIGNS:
        while rest.startswith(sign):
            rest, number = rest[len(sign) :], number + value
    if rest or not 1 <= number <= 3999 or to_roman(number) != text.upper():
        raise ValueError(f"{text!r} is no Roman number")
    return number
