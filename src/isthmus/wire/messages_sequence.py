"""Events as content blocks, one after the other: what is open, what may begin, what has to wait.

A stream of Anthropic's has one block open at a time, while a model's events may change from one tool call to
another and back. So whatever is for another block waits as long as the open call's arguments aren't whole.
"""

from typing import Literal, TypeAlias

import msgspec

from isthmus.messages import Event, ReasoningDelta, TextDelta, ToolCallDelta
from isthmus.wire.messages_answer import (
    BlockDelta,
    BlockEvent,
    BlockStart,
    BlockStop,
    InputPiece,
    SignaturePiece,
    TextAnswer,
    TextPiece,
    ThinkingAnswer,
    ThinkingPiece,
    ToolUseAnswer,
)

SIGNATURE = "aXN0aG11cw=="
"""What thinking is signed with: clients want something to give back, nobody here has to look at it."""

_Said: TypeAlias = TextDelta | ReasoningDelta | ToolCallDelta
_Open: TypeAlias = Literal["text", "thinking"] | int | None
"""The block that is open: a call by its position."""


class BlockSequence:
    """Turns the events of one answer into the beginnings, pieces and ends of its blocks.

    Args:
        id_: The answer's; calls that came without an id are named after it.
        show_thinking: Whether thinking is passed on; where it isn't, its blocks are empty.
    """

    def __init__(self, id_: str, *, show_thinking: bool = True) -> None:
        self._id = id_
        self._show_thinking = show_thinking
        self._index = -1  # of the block that is open, or was last
        self._open: _Open = None
        self._arguments: list[str] = []  # of the call that is open
        self._whole: bool | None = None  # whether they are JSON by now; None: not looked at
        self._waiting: list[_Said] = []
        self._calls: set[int] = set()  # that have begun

    @property
    def called(self) -> bool:
        """Whether there was a call."""
        return bool(self._calls)

    def add(self, event: Event) -> list[BlockEvent]:
        """What an event of the first choice adds; nothing if it isn't for a block, or has to wait."""
        match event:
            case TextDelta(text, 0) | ReasoningDelta(text, 0) if text:
                pass
            case ToolCallDelta(index=0):
                pass
            case _:
                return []
        if self._must_wait(event):
            self._waiting.append(event)
            return []
        events = self._say(event)
        if self._waiting and self._arguments_whole():
            waiting, self._waiting = self._waiting, []
            for each in waiting:
                events += self.add(each)
        return events

    def end(self) -> list[BlockEvent]:
        """What ends the last block, after all that has waited."""
        waiting, self._waiting = _call_by_call(self._waiting), []
        return [*(step for each in waiting for step in self._say(each)), *self._stop()]

    def _must_wait(self, event: _Said) -> bool:
        if not isinstance(self._open, int) or self._open == _block_of(event):
            return False
        return not self._arguments_whole()

    def _arguments_whole(self) -> bool:
        if not isinstance(self._open, int):
            return True
        if self._whole is None:
            self._whole = _is_json("".join(self._arguments))
        return self._whole

    def _say(self, event: _Said) -> list[BlockEvent]:
        block = _block_of(event)
        events: list[BlockEvent] = []
        if block != self._open:
            if block in self._calls:
                return []  # its arguments were whole, so nothing of it can be missing
            events = [*self._stop(), self._start(event)]
        match event:
            case TextDelta(text):
                events.append(BlockDelta(self._index, TextPiece(text)))
            case ReasoningDelta(text) if self._show_thinking:
                events.append(BlockDelta(self._index, ThinkingPiece(text)))
            case ToolCallDelta(arguments=piece) if piece:
                self._arguments.append(piece)
                self._whole = None
                events.append(BlockDelta(self._index, InputPiece(piece)))
            case _:
                pass
        return events

    def _start(self, event: _Said) -> BlockStart:
        self._index += 1
        self._open = _block_of(event)
        match event:
            case TextDelta():
                return BlockStart(self._index, TextAnswer(""))
            case ReasoningDelta():
                return BlockStart(self._index, ThinkingAnswer("", ""))
            case ToolCallDelta(position, id_, name):
                self._calls.add(position)
                self._arguments, self._whole = [], None
                called = ToolUseAnswer(id_ or f"toolu_{self._id}_{position}", name or "", {})
                return BlockStart(self._index, called)

    def _stop(self) -> list[BlockEvent]:
        was, self._open = self._open, None
        if was is None:
            return []
        signed = [BlockDelta(self._index, SignaturePiece(SIGNATURE))] if was == "thinking" else []
        return [*signed, BlockStop(self._index)]


def _block_of(event: _Said) -> _Open:
    match event:
        case TextDelta():
            return "text"
        case ReasoningDelta():
            return "thinking"
        case ToolCallDelta(position):
            return position


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _call_by_call(events: list[_Said]) -> list[_Said]:
    """The same events, the pieces of each call behind its first one."""
    first: dict[_Open, int] = {}
    order: list[tuple[int, int]] = []
    for number, event in enumerate(events):
        begun = first.setdefault(_block_of(event), number) if isinstance(event, ToolCallDelta) else number
        order.append((begun, number))
    return [events[number] for _, number in sorted(order)]
