"""Templates cut into pieces: text, ``{{ values }}`` and ``{% tags %}``."""

import re

PIECE = re.compile(r"(\{\{.*\}\}|\{%.*%\})")


class Piece:
    """A piece of a template; ``kind`` is text, value or tag, ``line`` counts from 1."""

    def __init__(self, kind, content, line):
        self.kind = kind
        self.content = content
        self.line = line


def pieces(source):
    """The template's pieces in order."""
    line = 1
    for part in PIECE.split(source):
        if part.startswith("{{"):
            yield Piece("value", part[2:-2].strip(), line)
        elif part.startswith("{%"):
            yield Piece("tag", part[2:-2].strip(), line)
        elif part:
            yield Piece("text", part, line)
