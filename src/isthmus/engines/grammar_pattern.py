"""Regular expressions as far as the engine's grammars know them.

llama.cpp takes groups, alternatives, classes and repetitions, wants both anchors, and writes what matches
into a JSON string as it stands: a quote or a backslash that matched would end the string or begin an escape.
So classes are spelt out here, and leave out what JSON would have to escape.
"""

import re
import string

MAX_WAYS = 1_000
"""Places at which what follows may begin, all of which the engine keeps in mind at once. With 2,000 of them
eight tokens of the small model took three seconds, with 20,000 there was no end."""
_ANY = r"[^\x22\x5C\x00-\x1F]"
_CLASSES = {"d": "0-9", "w": "A-Za-z0-9_", "s": " "}
_NEGATED = {name.upper(): inside for name, inside in _CLASSES.items()}
_SPECIAL = frozenset("^$.[]()|{}*+?")
_TOKEN = re.compile(
    r"\\(?P<escape>.)|(?P<set>\[\^?\]?(?:\\.|[^\]\\])*\])|(?P<group>\(\?:|\((?!\?))|(?P<close>\))"
    r"|(?P<repeat>(?:[*+?]|\{\d+(?:,\d*)?\})\??)|(?P<or>\|)|(?P<any>\.)|(?P<plain>[^\\\[\]()|.*+?^$])",
    re.DOTALL,
)
_COUNTS = {"*": (0, 1), "+": (1, 1), "?": (0, 1)}
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
    place, alternatives = 0, False
    levels = [_Level()]
    while place < len(body):
        token = _TOKEN.match(body, place)
        if token is None:
            raise _Unknown
        place = token.end()
        text = token[0]
        match token.lastgroup:
            case "group":
                levels.append(_Level())
                pieces.append("(")
            case "close":
                closed = levels.pop()
                if not levels:
                    raise _Unknown
                levels[-1].take(closed.ways, empty=closed.empty)
                pieces.append(")")
            case "repeat":
                # Lazy or greedy, the same texts match.
                pieces.append(text[:-1] if len(text) > 1 and text.endswith("?") else text)
                levels[-1].repeat(pieces[-1])
            case "or":
                alternatives = alternatives or len(levels) == 1
                levels[-1].turn()
                pieces.append("|")
            case _:
                levels[-1].take(1, empty=False)
                pieces.append(_character(token))
    return pieces, alternatives


class _Level:
    """A group, or the whole expression: how many ways lead into it, and whether it may be empty.

    It is an upper bound, as if all of a sequence could be empty. Only to repeat what may be empty multiplies.
    """

    def __init__(self) -> None:
        self._ways = 0  # of all but the last item
        self._empty = False  # whether an alternative may be that has ended
        self._so_far = True  # whether this one may, up to the last item
        self._last = (0, True)

    @property
    def ways(self) -> int:
        return self._ways + self._last[0]

    @property
    def empty(self) -> bool:
        return self._empty or (self._so_far and self._last[1])

    def take(self, ways: int, *, empty: bool) -> None:
        self._ways, self._so_far = self.ways, self._so_far and self._last[1]
        self._last = ways, empty

    def turn(self) -> None:
        """Another alternative begins."""
        self._ways, self._empty, self._so_far, self._last = self.ways, self.empty, True, (0, True)

    def repeat(self, how: str) -> None:
        ways, empty = self._last
        least, most = _COUNTS.get(how) or _count(how)
        self._last = (ways * most if empty else ways) + 1, empty or least == 0
        if self._last[0] > MAX_WAYS:
            raise _Unknown


def _count(how: str) -> tuple[int, int]:
    """How often at least, and at most or, where there is no end, as often as it is written out."""
    least, _, most = how[1:-1].partition(",")
    return int(least), int(most or least)


def _character(token: re.Match[str]) -> str:
    """What stands for one character."""
    match token.lastgroup:
        case "escape":
            return _escaped(token["escape"])
        case "set":
            return _set(token[0])
        case "any":
            return _ANY
        case _:
            return _literal(token[0])


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
