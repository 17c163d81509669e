"""A thought between marks, read out of a model's text while it comes.

    start    nothing but white space has come; a mark would begin a thought
    thought  between the marks
    answer   text; a mark at the beginning of a line begins another thought
    code     in the answer, between fences, where marks are only text
    call     between the marks of a call, where they are only text, too

A mark counts in full or not at all, wherever the pieces of a stream are cut: what may be the beginning of one
is held back until it is one or isn't. White space around a thought belongs to nobody. What models get wrong
has a rule, too:

- The opening is missing, because the prompt ends with it: such a family's text begins in a thought.
- It comes twice: at a thought's very beginning the second is dropped; on a line of its own it is one more to
  be closed; in the middle of a line it is a word.
- A closing without an opening is dropped at the beginning of a line, and a word elsewhere.
- A thought that is never closed lasts to the end. If it was closed, but fewer times than it was opened, what
  followed the last closing is the answer as well.
- A call ends a thought where its family's calls have marks that can't be thought about.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal, Protocol, TypeAlias

from isthmus.messages import ReasoningDelta, TextDelta, ToolCallDelta
from isthmus.reasoning.families import Marks
from isthmus.wire.marked import overlap

Said: TypeAlias = ReasoningDelta | TextDelta | ToolCallDelta
State: TypeAlias = Literal["start", "thought", "answer", "code", "call"]

_FENCE = "```"


@lru_cache
def _first_of(marks: Marks) -> re.Pattern[str]:
    """What finds the first character of any mark, in whatever state."""
    known = (marks.opening, marks.closing, _FENCE, *(marks.calls or ()))
    return re.compile("|".join(sorted({re.escape(mark[0]) for mark in known if mark})))


class ThoughtReader(Protocol):
    """Reads one choice's text."""

    @property
    def thinking(self) -> bool:
        """Whether what came last is a thought that has not ended."""
        ...

    def answering(self) -> None:
        """Somebody else has told the thought apart: what comes now is the answer."""
        ...

    def passes(self, text: str) -> bool:
        """Take more text, if it is the answer's as it stands; False: it is for `feed`."""
        ...

    def feed(self, text: str) -> Iterator[Said]:
        """Take more text; what is certain by now."""
        ...

    def end(self) -> Iterator[Said]:
        """What was held back when the text ended."""
        ...


class MarkReader:
    """Reads text whose thoughts stand between marks.

    Args:
        marks: Those of the model's family.
        index: The choice's.
    """

    def __init__(self, marks: Marks, index: int = 0) -> None:
        self.state: State = "thought" if marks.opened else "start"
        self._marks = marks
        self._index = index
        self._first = _first_of(marks)
        self._held: str = ""  # what may be the beginning of a mark
        self._space: str = ""  # white space of which it isn't clear yet whose it is
        self._blank = True  # whether nothing stands in this line yet
        self._fresh = True  # whether nothing of this thought, or of the answer behind one, has come yet
        self._depth = 1  # how many openings are to be closed
        self._after: list[str] | None = None  # what came behind a closing that left others to be closed

    @property
    def thinking(self) -> bool:
        """Whether what came last is a thought that has not ended."""
        return self.state == "thought"

    def answering(self) -> None:
        """Somebody else has told the thought apart: what comes now is the answer."""
        if self.state == "start" or (self.thinking and self._fresh):
            self._begin("answer")

    def passes(self, text: str) -> bool:
        """Take more text, if it is the answer's as it stands; False: it is for `feed`."""
        if self.state != "answer" or self._fresh or self._blank or self._held or not text:
            return False
        return "\n" not in text and self._first.search(text) is None

    def feed(self, text: str) -> Iterator[Said]:
        """Take more text; what is certain by now."""
        if not self._held and self._first.search(text) is None:  # as with nearly every token
            yield from self._say(text)
            return
        self._held += text
        while True:
            watched = self._watched()
            places = [(place, mark) for mark in watched if (place := self._held.find(mark)) >= 0]
            if not places:
                break
            place, mark = min(places)
            before, self._held = self._held[:place], self._held[place + len(mark) :]
            yield from self._say(before)
            yield from self._turn(mark)
        kept = len(self._held) - max((overlap(self._held, mark) for mark in watched), default=0)
        before, self._held = self._held[:kept], self._held[kept:]
        yield from self._say(before)

    def end(self) -> Iterator[Said]:
        """What was held back when the text ended."""
        held, self._held = self._held, ""
        yield from self._say(held)
        if self.state == "start" and self._space:
            yield TextDelta(self._space, self._index)
        if self.thinking and self._after is not None and (answer := "".join(self._after).strip()):
            yield TextDelta(answer, self._index)

    def _watched(self) -> tuple[str, ...]:
        """The marks that mean something in this state."""
        marks, calls = self._marks, self._marks.calls
        match self.state:
            case "start" | "answer":
                return (marks.opening, marks.closing, _FENCE, *(calls[:1] if calls else ()))
            case "thought":
                return (marks.closing, marks.opening, *(calls[:1] if calls and marks.interrupts else ()))
            case "code":
                return (_FENCE,)
            case "call":
                return calls[1:] if calls else ()

    def _turn(self, mark: str) -> Iterator[Said]:
        """A mark has come, with nothing held before it."""
        marks, thinking = self._marks, self.thinking
        closes = thinking and mark == marks.closing
        if mark in (marks.opening, marks.closing) and not (self._blank or closes):
            yield from self._say(mark)
        elif mark == marks.opening:
            if not thinking:
                self._begin("thought")
            elif not self._fresh:
                self._depth += 1
        elif mark == marks.closing:
            self._depth -= 1
            if not thinking or not self._depth:
                self._begin("answer")
            else:
                self._after = []
        elif mark == _FENCE:
            yield from self._say(mark)
            self.state = "answer" if self.state == "code" else "code"
        elif self.state == "call":
            yield from self._say(mark)
            self.state, self._blank = "answer", True
        else:
            if thinking:
                self._begin("answer")
            yield from self._say(mark)
            self.state = "call"

    def _begin(self, state: Literal["thought", "answer"]) -> None:
        self.state, self._space, self._blank, self._fresh, self._depth = state, "", True, True, 1

    def _say(self, text: str) -> Iterator[Said]:
        """Text without marks that mean anything, less the white space that is nobody's."""
        before, newline, line = text.rpartition("\n")
        self._blank = not line.strip() and (bool(newline) or (self._blank and not before))
        if not (text := self._trimmed(text)):
            return
        self._fresh = False
        if self.state == "start":
            self.state, self._space = "answer", ""
        if not self.thinking:
            yield TextDelta(text, self._index)
            return
        if self._after is not None:
            self._after.append(text)
        yield ReasoningDelta(text, self._index)

    def _trimmed(self, text: str) -> str:
        """A text without the white space before a thought, around it, and before the answer behind it."""
        if self.state == "answer":
            return text.lstrip() if self._fresh else text
        if self.state in ("code", "call"):
            return text
        text = self._space + text
        if self._fresh and self.thinking:
            text = text.lstrip()
        kept = len(text.rstrip())
        self._space = text[kept:]
        if self.thinking:
            return text[:kept]
        return text if kept else ""
