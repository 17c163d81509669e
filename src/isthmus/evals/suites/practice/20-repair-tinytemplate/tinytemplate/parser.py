"""Pieces made into a tree."""

from tinytemplate.lexer import pieces


class TemplateError(Exception):
    """The template is not well formed."""

    def __init__(self, message, line):
        super().__init__(f"line {line}: {message}")
        self.line = line


class Text:
    def __init__(self, text):
        self.text = text


class Value:
    """A name with dots, and the filters that it goes through."""

    def __init__(self, name, filters):
        self.name = name
        self.filters = filters


class For:
    def __init__(self, variable, name, body):
        self.variable = variable
        self.name = name
        self.body = body


class If:
    def __init__(self, name, body):
        self.name = name
        self.body = body


def parse(source):
    """The template's tree, a list of nodes; a TemplateError with its line if it isn't well formed."""
    return _nodes(pieces(source), None)


def _nodes(rest, end):
    nodes = []
    for piece in rest:
        if piece.kind == "text":
            nodes.append(Text(piece.content))
        elif piece.kind == "value":
            name, *filters = piece.content.split("|")
            nodes.append(Value(name, filters))
        else:
            words = piece.content.split()
            if words[0] == end:
                return nodes
            if words[0] == "for":
                nodes.append(For(words[1], words[3], _nodes(rest, "endfor")))
            elif words[0] == "if":
                nodes.append(If(words[1], _nodes(rest, "endif")))
            else:
                raise TemplateError(f"unknown tag {words[0]!r}", piece.line)
    return nodes
