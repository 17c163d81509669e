"""Trees made into text."""

from tinytemplate.parser import FILTERS, For, If, Text, parse


def render(source, values):
    """The template's text with the values filled in; `&`, `<` and `>` in values are escaped, unless filtered by `safe`."""
    return _rendered(parse(source), values)


def _rendered(nodes, values):
    return "".join(_one(node, values) for node in nodes)


def _one(node, values):
    if isinstance(node, Text):
        return node.text
    if isinstance(node, For):
        items = list(_looked_up(node.name, values))
        if not items:
            return _rendered(node.otherwise, values)
        return "".join(_rendered(node.body, {**values, node.variable: item}) for item in items)
    if isinstance(node, If):
        holds = bool(_looked_up(node.name, values)) != node.negated
        return _rendered(node.body if holds else node.otherwise, values)
    return _filled(node, values)


def _filled(node, values):
    value = _looked_up(node.name, values)
    for name in node.filters:
        value = FILTERS[name](value)
    text = str(value)
    if "safe" in node.filters:
        return text
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _looked_up(name, values):
    """The value of a name with dots: keys of dictionaries or attributes; an empty text if there is none."""
    value = values
    for part in name.split("."):
        value = value.get(part, "") if isinstance(value, dict) else getattr(value, part, "")
    return value
