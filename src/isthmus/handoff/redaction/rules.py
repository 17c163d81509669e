"""Patterns and what checks their matches, run by RE2: in time linear in the text, whoever wrote the pattern.

A `Rule` finds candidates by their shape; its check, in Python, decides by checksum, by a label that stands
before it, or by what lies around. All rules of a `Scanner` are looked for at once, and only those that occur
are run one by one.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

import re2
from msgspec import Struct

from isthmus.handoff.redaction.spans import Span

Check: TypeAlias = Callable[[str, int, int], Iterable[tuple[int, int]]]
"""Of a text and a candidate's bounds: the bounds of what is to be hidden there, if anything is."""

_MEMORY_BYTES = 64 << 20
"""For an automaton, such as that of all patterns together: with less, a slower way would be taken."""


class Rule(Struct, frozen=True):
    """A kind of entity, the shape it has (in RE2's syntax) and what must hold beside.

    ``group`` is the part of the match that is hidden; ``rank`` decides between spans that overlap. ``needs``
    is a simpler pattern without which the rule needn't be tried: a sign, or the labels that its check wants.
    ``adjoins``: a match may run on into the next value, so that its check cuts it, or finds it in the middle.
    """

    kind: str
    pattern: str
    check: Check | None = None
    group: int = 0
    rank: int = 50
    any_case: bool = False
    needs: str | None = None
    adjoins: bool = False


class Scanner:
    """Looks for what some rules describe.

    Raises:
        re2.error: RE2 doesn't know a pattern.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)
        self._compiled = [compiled(rule.pattern, any_case=rule.any_case) for rule in rules]
        options = re2.Options()
        options.max_mem = _MEMORY_BYTES
        self._all = re2.Set.SearchSet(options)
        for rule in rules:
            self._all.Add(_first_look(rule))
        if rules:
            self._all.Compile()

    def scan(self, text: str) -> Iterable[Span]:
        """Every span that a rule finds; they may overlap."""
        if not self._rules:
            return
        # RE2 reads bytes; where each is a character, they need not be made anew for each look.
        read = text.encode() if text.isascii() else text
        for index in self._all.Match(read) or ():
            rule, pattern = self._rules[index], self._compiled[index]
            if rule.adjoins:
                yield from _adjoining(rule, pattern, text, read)
                continue
            for match in pattern.finditer(read):
                start, end = match.span(rule.group)
                if start >= 0:
                    yield from _checked(rule, text, start, end)


def _checked(rule: Rule, text: str, start: int, end: int) -> list[Span]:
    bounds = ((start, end),) if rule.check is None else rule.check(text, start, end)
    return [Span(first, last, rule.kind, rule.rank) for first, last in bounds]


_SEPARATOR = re.compile(r"[^0-9A-Za-z]")


def _adjoining(rule: Rule, pattern: "re2.Regexp", text: str, read: str | bytes) -> Iterable[Span]:
    """Spans of a pattern that takes too much: after each, the next look begins where what counted ends."""
    position = 0
    while (match := next(pattern.finditer(read, position), None)) is not None:
        start, end = match.span()
        spans = _checked(rule, text, start, end)
        yield from spans
        if spans:
            position = max(span.end for span in spans)
        else:  # its first group may not have been part of it
            separator = _SEPARATOR.search(text, start + 1, end)
            position = end if separator is None else separator.end()


def _first_look(rule: Rule) -> str:
    if rule.needs is not None:
        return f"(?i){rule.needs}"
    return f"(?i){rule.pattern}" if rule.any_case else rule.pattern


def compiled(pattern: str, *, any_case: bool = False) -> "re2.Regexp":
    """A pattern for RE2, which says nothing on stderr if it doesn't like it.

    Raises:
        re2.error: It isn't RE2's syntax, or too large.
    """
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY_BYTES
    options.case_sensitive = not any_case
    return re2.compile(pattern, options)


# ---------------------------------------------------------------- what checks are made of


def alone(text: str, start: int, end: int, beside: str = "_") -> bool:
    """Whether neither letters, digits nor a sign of ``beside`` touch a span on either side."""
    before, after = text[start - 1 : start], text[end : end + 1]
    return not (_touches(before, beside) or _touches(after, beside))


def _touches(sign: str, beside: str) -> bool:
    return bool(sign) and (sign.isalnum() or sign in beside)


def either(listed: str) -> str:
    """A pattern of words that a text lists over several lines, with ``|`` between them."""
    return "".join(line.strip() for line in listed.splitlines())


class Labels:
    """Labels that may stand before a value, whatever joins the words of one: space, ``_``, ``-``, ``.``."""

    def __init__(self, *words: str) -> None:
        joined = "|".join(word.replace(" ", r"[\s_.\-]{0,3}") for word in words)
        # A short one has to end where its word does; longer ones begin compounds, too: Telefonnummer.
        ended = "|".join(each if len(each) > 4 else rf"{each}(?![^\W\d_])" for each in joined.split("|"))
        self.pattern = rf"(?:^|[^a-z])(?:{joined})"
        """For RE2, which looks whether any of them occurs."""
        self.search = re.compile(rf"(?<![^\W\d_])(?:{ended})", re.IGNORECASE).search


def labelled(text: str, start: int, words: Labels, reach: int = 40) -> bool:
    """Whether one of the labels stands in the same line, shortly before."""
    line = max(text.rfind("\n", 0, start) + 1, start - reach)
    return words.search(text, line, start) is not None


_DIGIT = re.compile(r"\d")


def first_labelled(text: str, start: int, words: Labels, reach: int = 40) -> bool:
    """Whether a label stands shortly before, and no other number between the two."""
    line = max(text.rfind("\n", 0, start) + 1, start - reach)
    for number in _DIGIT.finditer(text, line, start):
        line = number.end()
    return words.search(text, line, start) is not None


def part_of_longer(text: str, start: int, end: int) -> bool:
    """Whether a hyphen ties a span to more letters or digits, as in a UUID."""
    before, after = text[max(0, start - 2) : start], text[end : end + 2]
    return (before[-1:] == "-" and before[:1].isalnum()) or (after[:1] == "-" and after[1:].isalnum())


_GROUP = re.compile(r"[0-9]+")


def digit_windows(text: str, start: int, end: int, low: int, high: int) -> Iterable[tuple[int, int, str]]:
    """Runs of neighbouring digit groups in a span that have ``low`` to ``high`` digits; the longest first."""
    groups = [match.span() for match in _GROUP.finditer(text, start, end)]
    found: list[tuple[int, int, str]] = []
    for first, (begin, _) in enumerate(groups):
        digits = ""
        for lower, upper in groups[first:]:
            digits += text[lower:upper]
            if len(digits) > high:
                break
            if len(digits) >= low:
                found.append((begin, upper, digits))
    found.sort(key=lambda window: -len(window[2]))
    return found
