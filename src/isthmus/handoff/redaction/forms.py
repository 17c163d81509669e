r"""The forms in which a model gives a placeholder back, and where one may be about to begin.

Handed out was ``<EMAIL_1>``. Models also write ``<email_1>``, ``EMAIL_1``, ``Email 1``, ``[EMAIL_1]``,
``<EMAIL\_1>``, ``&lt;EMAIL_1&gt;``, ``%3CEMAIL_1%3E`` and, in JSON, ``\u003cEMAIL_1\u003e``.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from html import escape as html_escape
from urllib.parse import quote

from msgspec import Struct

Encode = Callable[[str], str]


class Bracket(Struct, frozen=True):
    """A pair that a placeholder may stand in, and how a value is written where that pair is."""

    opens: str
    closes: str
    encode: Encode | None = None
    exact: bool = False
    """Whether nothing that follows could change how it is read."""


BRACKETS = (
    Bracket("<", ">", exact=True),
    Bracket("\\<", "\\>", exact=True),
    Bracket("&lt;", "&gt;", html_escape, exact=True),
    Bracket("&#60;", "&#62;", html_escape, exact=True),
    Bracket("%3c", "%3e", quote, exact=True),
    Bracket("\\u003c", "\\u003e", exact=True),
    Bracket("{{", "}}", exact=True),
    Bracket("[", "]"),
    Bracket("{", "}"),
)
PAIRS = {(each.opens, each.closes): each for each in BRACKETS}
_SEPARATORS = ("\\_", "_", "%5f", " ", "-")
_OPENS = sorted({each.opens for each in BRACKETS}, key=len, reverse=True)
_CLOSES = sorted({each.closes for each in BRACKETS}, key=len, reverse=True)


class Forms(Struct, frozen=True):
    """``whole`` matches a placeholder in any form; ``begun`` finds where one may have begun at a text's end.

    Groups of ``whole``: quote, opens, kind, separator, number, closes, end_quote.
    """

    whole: re.Pattern[str]
    begun: re.Pattern[str]


@lru_cache(256)
def forms_of(kinds: frozenset[str], *, quoted: bool = False) -> Forms:
    """The forms of placeholders of some kinds; with the quotes around them if these may have to go."""
    names = sorted(kinds, key=len, reverse=True)
    spelt = [spelling for name in names for spelling in _spellings(name)]
    quotes = ('\\"', '"') if quoted else ()
    whole = (
        rf"(?P<quote>{_any(quotes)})?(?:(?P<opens>{_any(_OPENS)}) ?|(?<![^\W_]))(?P<kind>{_any(spelt)})"
        rf"(?P<separator>{_any(_SEPARATORS)})?(?P<number>[1-9][0-9]{{0,5}})"
        rf"(?: ?(?P<closes>{_any(_CLOSES)}))?(?P<end_quote>{_any(quotes)})?"
    )
    # Behind these a form is complete but for what decides how it is read.
    begun = _begun(spelt, [each.closes for each in BRACKETS if not each.exact])
    if quoted:
        begun = rf"(?:{_any(quotes)})(?:{_begun(spelt, _CLOSES)}|\Z)|\\\Z|{begun}"
    return Forms(re.compile(whole, re.IGNORECASE), re.compile(begun, re.IGNORECASE))


def _spellings(kind: str) -> Sequence[str]:
    r"""IP_ADDRESS, IP\_ADDRESS, IP ADDRESS, IP-ADDRESS, IPADDRESS."""
    if "_" not in kind:
        return (kind,)
    return tuple(kind.replace("_", joint) for joint in ("_", "\\_", " ", "-", ""))


def _begun(kinds: Sequence[str], unsure: Iterable[str]) -> str:
    """What matches, up to the text's end, the beginning of any form that what follows may still complete."""
    end = rf"(?:(?:{_any(unsure)})?\\?\Z|(?:{_beginnings(_CLOSES)})\Z)"
    number = rf"(?:[1-9][0-9]{{0,5}} ?{end}|\Z)"
    separator = rf"(?:(?:{_any(_SEPARATORS)})?{number}|(?:{_beginnings(_SEPARATORS)})\Z)"
    kind = rf"(?:(?:{_any(kinds)}){separator}|(?:{_beginnings(kinds)})\Z)"
    return rf"(?:(?:{_any(_OPENS)}) ?(?:{kind}|\Z)|(?:{_beginnings(_OPENS)})\Z|(?<![^\W_]){kind})"


def _any(literals: Iterable[str]) -> str:
    return "|".join(map(re.escape, literals))


def _beginnings(literals: Iterable[str]) -> str:
    """Every beginning of some words that is neither empty nor the whole word."""
    found = {word[:length] for word in literals for length in range(1, len(word))}
    return _any(sorted(found, key=len, reverse=True)) or r"(?!)"
