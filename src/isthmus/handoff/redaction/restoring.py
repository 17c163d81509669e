"""Values put back into an answer, while it streams.

Of each text that grows (an answer, its thinking, a tool call's arguments) only an end that may be the
beginning of a placeholder waits for what follows: never more than the longest form of one. A placeholder that
was never handed out stays as it is, and is counted.

How loosely a form is read depends on how likely it is to be one: in brackets any case will do; without them
it has to be in capitals or begin with one (``EMAIL_1``, ``Email 1``), and a numbered heading (``Email 1:`` at
the beginning of a line) is none.
"""

import json
import re
from collections.abc import Sequence
from typing import Literal, TypeAlias

from msgspec import structs

from isthmus.handoff.redaction.forms import PAIRS, Bracket, forms_of
from isthmus.handoff.redaction.placeholders import Placeholder
from isthmus.messages import Event, Finish, ReasoningDelta, TextDelta, TokenScores, ToolCallDelta

_CONTEXT = 32
"""Characters before a form that decide how it is read."""

_LINE_BEGINS = re.compile(r"(?:^|\n)[\s#>*_\-+]*(?:\d+[.)]\s*)?[*_]*\Z")


class Stream:
    """One text that grows, with its placeholders resolved.

    Args:
        placeholders: What was handed out.
        json_text: Whether the text is JSON, in whose strings values have to be escaped.
    """

    def __init__(self, placeholders: Sequence[Placeholder], *, json_text: bool) -> None:
        self._values = {(each.kind.replace("_", ""), each.number): each for each in placeholders}
        self._forms = forms_of(
            frozenset(each.kind for each in placeholders), quoted=any(each.bare for each in placeholders)
        )
        self._json = json_text
        self._text = ""
        self._from = 0  # what lies before was given out, and is kept as context only
        self.restored = 0
        """How many placeholders were replaced."""
        self.invented = 0
        """How many there were that nobody handed out."""

    @property
    def waits(self) -> bool:
        """Whether some of the text is held back."""
        return self._from < len(self._text)

    def feed(self, more: str, *, last: bool = False) -> str:
        """The text that can be given out after ``more``; all of it if this is the ``last``."""
        text = self._text + more
        until = self._sure(text, self._from, last=last)
        pieces: list[str] = []
        position = self._from
        for match in self._forms.whole.finditer(text, position):
            if match.start() >= until:
                break
            if match.end() > until:  # its closing quote might have been an opening one
                until = self._sure(text, match.end(), last=last)
            if (resolved := self._resolve(match, text)) is not None:
                start, end, value = resolved
                pieces += (text[position:start], value)
                position = end
        pieces.append(text[position:until])
        kept = max(0, until - _CONTEXT)
        self._text, self._from = text[kept:], until - kept
        return "".join(pieces)

    def _sure(self, text: str, start: int, *, last: bool) -> int:
        """Up to where nothing that follows can change how a text is read."""
        begun = None if last else self._forms.begun.search(text, start)
        return len(text) if begun is None else begun.start()

    def _resolve(self, match: re.Match[str], text: str) -> tuple[int, int, str] | None:
        """The bounds that are replaced, and by what; None if this is no placeholder of ours."""
        opens, closes = (match["opens"] or "").lower(), (match["closes"] or "").lower()
        escaped = (opens, closes) == ("\\<", ">")  # the backslash is the text's own
        bracket = PAIRS.get(("<" if escaped else opens, closes))
        if bracket is not None and _indexes(match, text):
            bracket = None
        if bracket is None and not _stands_alone(match, text):
            return None
        kind = re.sub(r"\\?_|[ -]", "", match["kind"]).upper()
        if (placeholder := self._values.get((kind, int(match["number"])))) is None:
            self.invented += 1
            return None
        self.restored += 1
        start, end = match.span("kind")[0], match.end("number")
        if bracket is not None:
            start, end = match.start("opens") + escaped, match.end("closes")
        if placeholder.bare and match["quote"] and match["quote"] == match["end_quote"]:
            return match.start(), match.end(), placeholder.original
        return start, end, self._written(placeholder, bracket)

    def _written(self, placeholder: Placeholder, bracket: Bracket | None) -> str:
        value = placeholder.original
        if bracket is not None and bracket.encode is not None:
            value = bracket.encode(value)
        return json.dumps(value, ensure_ascii=False)[1:-1] if self._json else value


def _indexes(match: re.Match[str], text: str) -> bool:
    """Whether square or curly brackets are the text's own: an index, a link's text, a field of a template."""
    if match["opens"] not in ("[", "{"):
        return False
    before, after = text[match.start("opens") - 1 : match.start("opens")], text[match.end("closes") :][:1]
    return before.isalnum() or before == "_" or after in ("(", "[", ":")


def _stands_alone(match: re.Match[str], text: str) -> bool:
    """Whether a form without brackets is one: a word by itself, written like a name of something."""
    name, separator = match["kind"], match["separator"]
    start, end = match.start("kind"), match.end("number")
    before, after = text[start - 1 : start], text[end : end + 1]
    if before.isalnum() or after.isalnum() or after == "_" or not name[0].isupper():
        return False
    if separator in (None, "-", " "):
        words = re.sub(r"\\?_|[ -]", " ", name).split()
        if separator != " " and name != name.upper():
            return False
        heading = _LINE_BEGINS.search(text[max(0, start - _CONTEXT) : start]) is not None
        return all(word[0].isupper() for word in words) and not (heading and after in (":", "*", "."))
    return True


_Channel: TypeAlias = tuple[int, Literal["text", "reasoning", "call"], int]
"""A choice's index, what of it grows, and which of its calls."""


class Restorer:
    """Puts values back into the events of an answer, choice by choice.

    Log-probabilities of tokens that make up a placeholder are left out: they belong to no token of the
    restored text.

    Args:
        placeholders: What was handed out.
        json_text: Whether the answer's text is JSON (structured output).
    """

    def __init__(self, placeholders: Sequence[Placeholder], *, json_text: bool = False) -> None:
        self._placeholders = tuple(placeholders)
        self._json = json_text
        self._streams: dict[_Channel, Stream] = {}
        self._open: dict[int, _Channel] = {}  # of each choice, which text grows at the moment
        self._scores: dict[int, list[TokenScores]] = {}

    @property
    def restored(self) -> int:
        """How many placeholders were replaced so far."""
        return sum(each.restored for each in self._streams.values())

    @property
    def invented(self) -> int:
        """How many there were that nobody handed out; they stay as they are."""
        return sum(each.invented for each in self._streams.values())

    def event(self, event: Event) -> list[Event]:
        """What the person gets for an event of the hosted model; what is held back comes with a later one."""
        if not self._placeholders:
            return [event]
        match event:
            case TextDelta(index=index):
                return self._grow((index, "text", 0), event, event.text)
            case ReasoningDelta(index=index):
                return self._grow((index, "reasoning", 0), event, event.text)
            case ToolCallDelta(index=index, position=position):
                return self._grow((index, "call", position), event, event.arguments)
            case TokenScores(index=index):
                self._scores.setdefault(index, []).append(event)
                return []
            case Finish(index=index):
                return [*self.end(index), event]
            case _:
                return [event]

    def end(self, index: int = 0) -> list[Event]:
        """What is still held back of a choice, whatever follows."""
        channel = self._open.pop(index, None)
        return self._scored(index, 0) if channel is None else self._rest(channel)

    def _grow(
        self, channel: _Channel, event: TextDelta | ReasoningDelta | ToolCallDelta, more: str
    ) -> list[Event]:
        index = channel[0]
        before: list[Event] = []
        if (open_channel := self._open.get(index)) not in (None, channel):
            before = self._rest(open_channel)
        self._open[index] = channel
        stream = self._stream(channel)
        replaced = stream.restored
        text = stream.feed(more)
        changed = stream.restored - replaced
        scores = [] if stream.waits and not changed else self._scored(index, changed)
        given = _with(event, text)
        nothing = not text and not (isinstance(event, ToolCallDelta) and (event.id or event.name))
        return [*before, *scores, *([] if nothing and more else [given])]

    def _rest(self, channel: _Channel) -> list[Event]:
        index, grows, position = channel
        stream = self._stream(channel)
        replaced = stream.restored
        text = stream.feed("", last=True)
        scores = self._scored(index, stream.restored - replaced)
        if not text:
            return scores
        if grows == "call":
            return [*scores, ToolCallDelta(position, arguments=text, index=index)]
        return [*scores, TextDelta(text, index) if grows == "text" else ReasoningDelta(text, index)]

    def _stream(self, channel: _Channel) -> Stream:
        if (stream := self._streams.get(channel)) is None:
            json_text = channel[1] == "call" or (channel[1] == "text" and self._json)
            stream = self._streams[channel] = Stream(self._placeholders, json_text=json_text)
        return stream

    def _scored(self, index: int, changed: int) -> list[Event]:
        """The log-probabilities that wait, or none if a placeholder was among their tokens."""
        scores = self._scores.pop(index, [])
        return [] if changed else [*scores]


def _with(event: TextDelta | ReasoningDelta | ToolCallDelta, text: str) -> Event:
    if isinstance(event, ToolCallDelta):
        return structs.replace(event, arguments=text)
    return structs.replace(event, text=text)


def restore_text(text: str, placeholders: Sequence[Placeholder], *, json_text: bool = False) -> str:
    """A whole text with its placeholders replaced by what they stand for."""
    if not placeholders:
        return text
    return Stream(placeholders, json_text=json_text).feed(text, last=True)
