"""Trees made into text."""

from tinytemplate.parser import For, If, Text, parse

FILTERS = {"upper": str.upper, "lower": str.lower, "length": len, "safe": str}


def render(source, values):
    """The template's text with the values filled in; `&`, `<` and `>` in values are escaped, unless filtered by `safe`."""
    return _rendered(parse(source), values)


def _rendered(nodes, values):
    text = ""
    for node in nodes:
        if isinstance(node, Text):
            text += node.text
        elif isinstance(node, For):
            for item in _looked_up(node.name, values):
                values[node.variable] = item
                text += _rendered(node.body, values)
        elif isinstance(node, If):
            if _looked_up(node.name, values):
                text += _rendered(node.body, values)
        else:
            value = str(_looked_up(node.name, values))
            for name in node.filters:
                value = FILTERS[name](value)
            text += value.replace("<", "&lt;").replace(">", "&gt;").replace("&", "&amp;")
    return text


def _looked_up(name, values):
    """The value of a name with dots: keys of dictionaries or attributes; an empty text if there is none."""
    value = values
    for part in name.split("."):
        value = value.get(part, "") if isinstance(value, dict) else getattr(value, part, "")
    return value
