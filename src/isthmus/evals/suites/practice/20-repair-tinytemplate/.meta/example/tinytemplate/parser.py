"""Pieces made into a tree."""

from tinytemplate.lexer import pieces

FILTERS = {
    "upper": lambda value: str(value).upper(),
    "lower": lambda value: str(value).lower(),
    "length": len,
    "safe": lambda value: value,
}


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
    def __init__(self, variable, name, body, otherwise):
        self.variable = variable
        self.name = name
        self.body = body
        self.otherwise = otherwise


class If:
    def __init__(self, name, negated, body, otherwise):
        self.name = name
        self.negated = negated
        self.body = body
        self.otherwise = otherwise


def parse(source):
    """The template's tree, a list of nodes; a TemplateError with its line if it isn't well formed."""
    nodes, _ = _nodes(pieces(source), None, ())
    return nodes


def _nodes(rest, opening, ends):
    """The nodes up to one of the ends, and which of them it was."""
    nodes = []
    for piece in rest:
        if piece.kind == "text":
            nodes.append(Text(piece.content))
        elif piece.kind == "value":
            nodes.append(_value(piece))
        elif piece.content in ends:
            return nodes, piece.content
        else:
            nodes.append(_block(piece, rest))
    if opening is not None:
        raise TemplateError(f"{opening.content!r} has no end", opening.line)
    return nodes, None


def _value(piece):
    name, *filters = (part.strip() for part in piece.content.split("|"))
    if not name:
        raise TemplateError("an empty value", piece.line)
    for each in filters:
        if each not in FILTERS:
            raise TemplateError(f"unknown filter {each!r}", piece.line)
    return Value(name, filters)


def _block(piece, rest):
    match piece.content.split():
        case ["for", variable, "in", name]:
            return For(variable, name, *_branches(piece, rest, "endfor"))
        case ["if", "not", name]:
            return If(name, True, *_branches(piece, rest, "endif"))
        case ["if", name] if name != "not":
            return If(name, False, *_branches(piece, rest, "endif"))
    raise TemplateError(f"can't read the tag {piece.content!r}", piece.line)


def _branches(opening, rest, end):
    body, ended_by = _nodes(rest, opening, ("else", end))
    otherwise = []
    if ended_by == "else":
        otherwise, _ = _nodes(rest, opening, (end,))
    return body, otherwise
