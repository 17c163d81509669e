"""Templates cut into pieces: text, ``{{ values }}`` and ``{% tags %}``."""

import re

PIECE = re.compile(r"(\{\{.*?\}\}|\{%.*?%\})")


class Piece:
    """A piece of a template; ``kind`` is text, value or tag, ``line`` counts from 1."""

    def __init__(self, kind, content, line):
        self.kind = kind
        self.content = content
        self.line = line


def pieces(source):
    """The template's pieces in order."""
    line = 1
    for position, part in enumerate(PIECE.split(source)):
        if position % 2:  # what the expression matched; text lies between
            yield Piece("value" if part[1] == "{" else "tag", part[2:-2].strip(), line)
        elif part:
            yield Piece("text", part, line)
        line += part.count("\n")
