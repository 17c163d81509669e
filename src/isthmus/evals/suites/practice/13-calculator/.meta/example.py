import re

TOKEN = re.compile(r"\s*(?:(\d+\.?\d*|\.\d+)|([A-Za-z]+)|([-+*/^()]))")


def evaluate(text, names=None):
    """The value of an arithmetic expression."""
    reader = _Reader(_tokens(text), names or {})
    value = reader.sum()
    if reader.next is not None:
        raise ValueError(f"unexpected {reader.next[1]!r}")
    return value


def _tokens(text):
    text, position, tokens = text.rstrip(), 0, []
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None:
            raise ValueError(f"can't read {text[position:]!r}")
        tokens.append((match.lastindex, match[match.lastindex]))
        position = match.end()
    return tokens


class _Reader:
    def __init__(self, tokens, names):
        self.tokens = tokens
        self.names = names
        self.place = 0

    @property
    def next(self):
        return self.tokens[self.place] if self.place < len(self.tokens) else None

    def takes(self, signs):
        if self.next is not None and self.next[0] == 3 and self.next[1] in signs:
            self.place += 1
            return self.tokens[self.place - 1][1]
        return None

    def sum(self):
        value = self.product()
        while sign := self.takes("+-"):
            value = value + self.product() if sign == "+" else value - self.product()
        return value

    def product(self):
        value = self.signed()
        while sign := self.takes("*/"):
            value = value * self.signed() if sign == "*" else value / self.signed()
        return value

    def signed(self):
        sign = self.takes("+-")
        if sign is None:
            return self.power()
        return -self.signed() if sign == "-" else self.signed()

    def power(self):
        base = self.value()
        return base ** self.signed() if self.takes("^") else base

    def value(self):
        if self.takes("("):
            value = self.sum()
            if not self.takes(")"):
                raise ValueError("a parenthesis stays open")
            return value
        if self.next is None or self.next[0] == 3:
            raise ValueError("a value is missing")
        kind, text = self.next
        self.place += 1
        if kind == 2:
            return self.names[text]
        return float(text) if "." in text else int(text)
