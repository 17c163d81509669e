"""Everything that looks for what is private in a text, and what the person says about it."""

import re2

from isthmus.errors import SettingsError
from isthmus.handoff.redaction.contact import contact_rules
from isthmus.handoff.redaction.identities import identity
from isthmus.handoff.redaction.identity import identity_rules
from isthmus.handoff.redaction.money import money_rules
from isthmus.handoff.redaction.network import network_rules
from isthmus.handoff.redaction.recognisers import recogniser_of
from isthmus.handoff.redaction.rules import Rule, Scanner, compiled
from isthmus.handoff.redaction.secrets import secret_rules
from isthmus.handoff.redaction.spans import Recogniser, Span, settled
from isthmus.settings import RedactionSettings

_NAMED_KINDS = frozenset({"PERSON", "ADDRESS"})
_LONGEST_PATTERN = 2000


class Detector:
    """Finds what is private in a text.

    Raises:
        SettingsError: A pattern is no regular expression, or a kind is unknown.
    """

    def __init__(self, settings: RedactionSettings, recogniser: Recogniser | None = None) -> None:
        rules = [
            *(_own(name, pattern) for name, pattern in settings.patterns.items()),
            *secret_rules(),
            *contact_rules(settings.regions),
            *money_rules(),
            *identity_rules(),
            *network_rules(),
        ]
        kinds = {rule.kind for rule in rules} | _NAMED_KINDS
        for kind in settings.off:
            if kind not in kinds:
                raise SettingsError(
                    f"handoff.redaction.off: nothing called {kind!r} is looked for",
                    hint=f"take away what it should leave alone: {', '.join(sorted(kinds))}",
                )
        self._off = frozenset(settings.off)
        self._regions = settings.regions
        self._allowed = frozenset(" ".join(each.casefold().split()) for each in settings.allow)
        self._scanner = Scanner([rule for rule in rules if rule.kind not in self._off])
        wanted = not self._off.issuperset(_NAMED_KINDS)
        self._recognise = (recogniser or recogniser_of(settings)) if wanted else None
        self.looks_for_names = wanted
        """Whether names or addresses are to be hidden at all."""

    def identity(self, value: str, kind: str) -> str:
        """What two spellings of the same thing have in common."""
        return identity(value, kind, self._regions)

    def find(self, text: str) -> list[Span]:
        """What is to be hidden, in order and without overlaps."""
        if len(text) < 3:
            return []
        spans = [_after_escape(text, span) for span in self._scanner.scan(text)]
        if self._recognise is not None:
            spans += [span for span in self._recognise(text) if span.kind not in self._off]
        found = [_trimmed(text, span) for span in settled(spans)]
        return [span for span in found if self._private(text, span)]

    def hides(self, value: str, kind: str) -> bool:
        """Whether the person wants a value of a kind hidden."""
        return kind not in self._off and self._says(value)

    def _private(self, text: str, span: Span) -> bool:
        return self._says(text[span.start : span.end])

    def _says(self, value: str) -> bool:
        """Whether a value says something, and may not leave as it is."""
        return any(map(str.isalnum, value)) and " ".join(value.casefold().split()) not in self._allowed


def _own(name: str, pattern: str) -> Rule:
    """A kind of the person's own."""
    where = f"handoff.redaction.patterns.{name}"
    if not name.isidentifier() or not name.isascii() or name != name.upper():
        raise SettingsError(f"{where}: a kind is called in capitals", hint="for instance PROJECT_CODE")
    if len(pattern) > _LONGEST_PATTERN:
        raise SettingsError(f"{where}: more than {_LONGEST_PATTERN} characters")
    try:
        expression = compiled(pattern)
    except re2.error as error:
        detail = error.args[0] if error.args else "unknown"
        said = detail.decode(errors="replace") if isinstance(detail, bytes) else str(detail)
        raise SettingsError(
            f"{where} is no regular expression that can be used: {said}",
            hint="RE2's syntax: without lookaround and backreferences, https://github.com/google/re2/wiki/Syntax",
        ) from error
    if expression.fullmatch("") is not None:
        raise SettingsError(f"{where} matches nothing at all, so it would match everywhere")
    return Rule(name, pattern, group=1 if expression.groups == 1 else 0, rank=0)


def _after_escape(text: str, span: Span) -> Span:
    r"""Without the letter of an escape before it, as in a program's text: ``"\nmario@example.org"``."""
    escaped = text[span.start - 1 : span.start] == "\\" and text[span.start] in "nrtbfv"
    if not escaped or span.kind in ("USERNAME", "HOSTNAME", "PASSWORD"):
        return span
    return Span(span.start + 1, span.end, span.kind, span.rank)


def _trimmed(text: str, span: Span) -> Span:
    """Without space at its ends."""
    value = text[span.start : span.end]
    start = span.start + len(value) - len(value.lstrip())
    return Span(start, span.end - len(value) + len(value.rstrip()), span.kind, span.rank)
