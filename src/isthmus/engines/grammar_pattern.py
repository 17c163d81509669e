"""Regular expressions as far as the engine's grammars know them.

llama.cpp takes groups, alternatives, classes and repetitions, wants both anchors, and writes what matches
into a JSON string as it stands: a quote or a backslash that matched would end the string or begin an escape.
So classes are spelt out here, and leave out what JSON would have to escape.
"""

import re
import string

_ANY = r"[^\x22\x5C\x00-\x1F]"
_CLASSES = {"d": "0-9", "w": "A-Za-z0-9_", "s": " "}
_NEGATED = {name.upper(): inside for name, inside in _CLASSES.items()}
_SPECIAL = frozenset("^$.[]()|{}*+?")
_TOKEN = re.compile(
    r"\\(?P<escape>.)|(?P<set>\[\^?\]?(?:\\.|[^\]\\])*\])|(?P<group>\(\?:|\((?!\?))|(?P<close>\))"
    r"|(?P<repeat>(?:[*+?]|\{\d+(?:,\d*)?\})\??)|(?P<or>\|)|(?P<any>\.)|(?P<plain>[^\\\[\]()|.*+?^$])",
    re.DOTALL,
)
_MEMBER = re.compile(r"\\(?P<escape>.)|(?P<plain>[^\\])", re.DOTALL)


class _Unknown(Exception):
    """Something that no grammar is made of here."""


def grammar_pattern(pattern: str) -> str | None:
    """The same expression as the engine takes it; None where it has no way to say it."""
    body, first, last = (
        pattern,
        pattern.startswith("^"),
        pattern.endswith("$") and not pattern.endswith(r"\$"),
    )
    body = body[1 if first else 0 : len(body) - 1 if last else len(body)]
    try:
        pieces, alternatives = _pieces(body)
    except _Unknown:
        return None
    if alternatives and (first or last):
        return None  # an anchor belongs to its alternative alone
    before, after = "" if first else f"{_ANY}*", "" if last else f"{_ANY}*"
    inner = "".join(pieces)
    return f"^{before}({inner}){after}$" if before or after or alternatives else f"^{inner}$"


def _pieces(body: str) -> tuple[list[str], bool]:
    """The expression piece by piece, and whether it has alternatives outside of any group."""
    pieces: list[str] = []
    place, depth, alternatives = 0, 0, False
    while place < len(body):
        token = _TOKEN.match(body, place)
        if token is None:
            raise _Unknown
        place = token.end()
        text = token[0]
        match token.lastgroup:
            case "escape":
                pieces.append(_escaped(token["escape"]))
            case "set":
                pieces.append(_set(text))
            case "group":
                depth += 1
                pieces.append("(")
            case "close":
                depth -= 1
                pieces.append(")")
            case "repeat":
                # Lazy or greedy, the same texts match.
                pieces.append(text[:-1] if len(text) > 1 and text.endswith("?") else text)
            case "or":
                alternatives = alternatives or not depth
                pieces.append("|")
            case "any":
                pieces.append(_ANY)
            case _:
                pieces.append(_literal(text))
    return pieces, alternatives


def _escaped(character: str) -> str:
    if character in _CLASSES:
        return f"[{_CLASSES[character]}]"
    if character in _NEGATED:
        return _ANY[:2] + _NEGATED[character] + _ANY[2:]
    if character in string.ascii_letters + string.digits:
        raise _Unknown  # boundaries, properties, references to groups
    return _literal(character)


def _literal(character: str) -> str:
    if character in '"\\' or character < " ":
        raise _Unknown
    return f"\\{character}" if character in _SPECIAL else character


def _set(text: str) -> str:
    """A class with its members spelt out."""
    negated = text.startswith("[^")
    inside = text[2:-1] if negated else text[1:-1]
    members: list[str] = []
    for member in _MEMBER.finditer(inside):
        escape = member["escape"]
        if escape in _CLASSES:
            members.append(_CLASSES[escape])
        elif member["plain"] == "-" and 0 < member.start() < len(inside) - 1:
            members.append("-")
        elif escape is not None and escape in string.ascii_letters + string.digits:
            raise _Unknown
        else:
            members.append(_member(escape or member["plain"], negated=negated))
    if not members:
        raise _Unknown
    return f"[^{''.join(members)}{_ANY[2:]}" if negated else f"[{''.join(members)}]"


def _member(character: str, *, negated: bool) -> str:
    if not negated and (character in '"\\' or character < " "):
        raise _Unknown
    ascii_sign = character.isascii() and not character.isalnum() and character not in " _"
    return f"\\x{ord(character):02X}" if ascii_sign else character
