"""gpt-oss's own format, harmony, read out of a model's text while it comes.

An answer is a row of messages, of which the prompt has begun the first:

    <|start|>assistant<|channel|>analysis<|message|>a thought<|end|>
    <|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json<|message|>{"a": 1}<|call|>
    <|start|>assistant<|channel|>final<|message|>the answer<|return|>

    header   a message's first part: its channel, and whom it is for
    body     what it says: a thought, words, or a call's arguments
    plain    text that has nothing of this, from somebody who has read it already

The format is OpenAI's (https://cookbook.openai.com/articles/openai-harmony). A header that never comes to a
body is broken: what it holds is said as its channel has it, or else as the answer.
"""

import re
from collections.abc import Iterator
from typing import Literal, TypeAlias

from isthmus.messages import ReasoningDelta, TextDelta, ToolCallDelta
from isthmus.reasoning.parser import Said
from isthmus.wire.marked import new_call_id, overlap

START, CHANNEL, MESSAGE, CONSTRAIN = "<|start|>", "<|channel|>", "<|message|>", "<|constrain|>"
END, CALL, RETURN = "<|end|>", "<|call|>", "<|return|>"

Kind: TypeAlias = Literal["thought", "words", "call"]

_IN_HEADER = (MESSAGE, START, END, CALL, RETURN)
_IN_BODY = (END, CALL, RETURN, START, CHANNEL)
_FOR = re.compile(r"\bto=([^\s<]+)")
_CHANNEL = re.compile(r"(?:<\|channel\|>\s*|^\s*(?:assistant)?\s*)(analysis|commentary|final)\b\s*")
_NAMED = re.compile(r"<\|channel\|>\s*(\w+)")
_BEGINNING = re.compile(r"\s*(?:<|(?:assistant|analysis|commentary|final|to=)\b)")
_MARK = re.compile(r"<\|\w+\|>|\bto=\S+|^\s*assistant\b")
_LONGEST_HEADER = 200
"""Characters; what is longer is no header."""


class HarmonyReader:
    """Reads text in harmony's channels.

    Args:
        index: The choice's.
    """

    def __init__(self, index: int = 0) -> None:
        self.state: Literal["header", "body", "plain"] = "header"
        self._index = index
        self._held = ""
        self._kind: Kind | None = None  # of the message that is being read, or was last
        self._said: set[Kind] = set()
        self._marked = False  # whether a mark has come
        self._gap = ""  # what stands between this message and the one before
        self._calls = 0

    @property
    def thinking(self) -> bool:
        """Whether what came last is a thought that has not ended."""
        return self._kind == "thought"

    def answering(self) -> None:
        """Somebody else has told the thought apart: what comes now is the answer."""
        if not self._said:
            self.state = "plain"

    def passes(self, text: str) -> bool:
        """Whether it is the answer's as it stands: here `feed` finds out."""
        return False

    def feed(self, text: str) -> Iterator[Said]:
        """Take more text; what is certain by now."""
        self._held += text
        if self.state == "header" and not self._marked and not _may_begin(self._held):
            self.state = "plain"
        while self.state != "plain":
            watched = _IN_HEADER if self.state == "header" else _IN_BODY
            places = [(place, mark) for mark in watched if (place := self._held.find(mark)) >= 0]
            if not places:
                break
            place, mark = min(places)
            if self.state == "header" and place > _LONGEST_HEADER:
                break
            before, self._held = self._held[:place], self._held[place + len(mark) :]
            yield from self._take(before, mark)
        yield from self._rest()

    def end(self) -> Iterator[Said]:
        """What was held back when the text ended."""
        held, self._held = self._held, ""
        if self.state == "header":
            yield from self._spill(held)
        else:
            yield from self._say(held)

    def _rest(self) -> Iterator[Said]:
        """What no mark follows yet."""
        if self.state == "header":
            if len(self._held) <= _LONGEST_HEADER:
                return
            self.state, self._kind = "plain", "words"
        watched = _IN_BODY if self.state == "body" else ()
        kept = len(self._held) - max((overlap(self._held, mark) for mark in watched), default=0)
        before, self._held = self._held[:kept], self._held[kept:]
        yield from self._say(before)

    def _take(self, before: str, mark: str) -> Iterator[Said]:
        """A mark has come, with what stands before it."""
        self._marked = True
        if self.state == "body":
            yield from self._say(before)
            self.state = "header"
            if mark == CHANNEL:  # the message's end and the next one's start were left out
                self._held = CHANNEL + self._held
        elif mark == MESSAGE:
            yield from self._open(before)
            self.state = "body"
        else:
            yield from self._spill(before)

    def _open(self, header: str) -> Iterator[Said]:
        """A message begins."""
        channel, whom = _NAMED.search(header) or _CHANNEL.search(header), _FOR.search(header)
        self._kind = _kind(channel[1] if channel else "final")
        if whom is not None and whom[1] != "assistant":
            self._kind = "call"
            name = whom[1].removeprefix("functions.")
            yield ToolCallDelta(self._calls, new_call_id(), name, "", self._index)
            self._calls += 1
        self._gap = "\n\n" if self._kind in self._said and self._kind != "call" else ""

    def _spill(self, header: str) -> Iterator[Said]:
        """A header without a body: what it holds, less its marks."""
        if not self._marked and "<|" not in header:
            yield from self._say(header)  # it only looked like one
            return
        found = _CHANNEL.search(header)
        words = _MARK.sub("", header[found.end() :] if found else header).strip()
        if words:
            self._kind = _kind(found[1]) if found else "words"
            self._gap = "\n\n" if self._kind in self._said else ""
            yield from self._say(words)

    def _say(self, text: str) -> Iterator[Said]:
        if not text:
            return
        kind = self._kind or "words"
        self._said.add(kind)
        gap, self._gap = self._gap, ""
        match kind:
            case "thought":
                yield ReasoningDelta(gap + text, self._index)
            case "words":
                yield TextDelta(gap + text, self._index)
            case "call":
                yield ToolCallDelta(self._calls - 1, arguments=text, index=self._index)


def _kind(channel: str) -> Kind:
    """A channel's; one that nobody knows is not shown as an answer."""
    return "words" if channel in ("final", "commentary") else "thought"


def _may_begin(text: str) -> bool:
    """Whether a text may be the beginning of an answer in this format."""
    head = text.lstrip()
    if not head or _BEGINNING.match(head):
        return True
    return any(word.startswith(head) for word in ("assistant", "analysis", "commentary", "final", "to="))
