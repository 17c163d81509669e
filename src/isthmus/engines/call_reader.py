"""Calls of tools out of a model's text, while it comes: never half a call, never a call left as text.

`EnvelopeReader` reads what a grammar holds to ``{"tool_calls": [...]}`` or ``{"answer": ...}``, and passes
arguments on as they come. `LooseReader` reads free text, in which a model may call between marks, or answer
with nothing but the call's JSON, bare or fenced; it holds back what may yet be a call until it is one, whole
and of a tool that exists.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, Protocol, TypeAlias, cast

import jsonschema_rs
import msgspec

from isthmus.engines.json_scanner import ValueScanner
from isthmus.engines.tool_turns import CLOSE, OPEN
from isthmus.messages import TextDelta, Tool, ToolCallDelta
from isthmus.wire.marked import new_call_id, overlap

Said: TypeAlias = TextDelta | ToolCallDelta

_JSON = msgspec.json.Decoder()
_ENVELOPE = re.compile(r'\s*\{\s*"(tool_calls|answer)"\s*:\s*')
_LIST = re.compile(r"\[\s*")
_CALL = re.compile(r'[\s,}]*\{\s*"name"\s*:\s*("(?:[^"\\]|\\.)*")\s*,\s*"arguments"\s*:\s*(?=\{)')
_FENCE = re.compile(r"```(?:json)?\s*")
_BARE = '{"name":"'
_DOUBLED = "{{"
"""How some models begin a call: their template shows them one in doubled braces (Qwen2.5-Coder's does)."""


class CallReader(Protocol):
    """Reads one choice's text."""

    calls: int
    """How many calls have begun."""

    def feed(self, text: str) -> Iterator[Said]:
        """Take more text; what is certain by now."""
        ...

    def end(self) -> Iterator[Said]:
        """What was held back when the text ended."""
        ...


class EnvelopeReader:
    """Reads calls, or an answer, that a grammar has put into an envelope.

    Args:
        index: The choice's.
    """

    def __init__(self, index: int = 0) -> None:
        self.calls = 0
        self._index = index
        self._held = ""
        self._state: Literal["envelope", "list", "call", "arguments", "answer", "done", "plain"] = "envelope"
        self._value = ValueScanner()

    def feed(self, text: str) -> Iterator[Said]:
        """Take more text; what is certain by now."""
        self._held += text
        moved = True
        while moved and self._held:
            match self._state:
                case "envelope":
                    moved = self._open()
                case "list":
                    moved = self._take(_LIST) is not None and self._go("call")
                case "call":
                    if (found := self._take(_CALL)) is None:
                        return
                    yield ToolCallDelta(self.calls, new_call_id(), _JSON.decode(found[1]), "", self._index)
                    self.calls += 1
                    self._go("arguments")
                case "arguments" | "answer":
                    whole = self._value.feed(self._held)
                    piece = self._held if whole is None else self._held[:whole]
                    self._held = self._held[len(piece) :]
                    if piece:
                        yield self._piece(piece)
                    moved = whole is not None and self._go("call" if self._state == "arguments" else "done")
                case "done":
                    self._held = ""
                case "plain":
                    text, self._held = self._held, ""
                    yield TextDelta(text, self._index)

    def end(self) -> Iterator[Said]:
        """What was held back: something only where no grammar held the model, so that it is text."""
        if self._state == "envelope" and self._held.strip():
            yield TextDelta(self._held, self._index)
        self._held = ""

    def _open(self) -> bool:
        """Tell what is in the envelope, or that there is none."""
        if found := self._take(_ENVELOPE):
            return self._go("list" if found[1] == "tool_calls" else "answer")
        return not self._held.lstrip().startswith("{") and bool(self._held.strip()) and self._go("plain")

    def _piece(self, text: str) -> Said:
        if self._state == "answer":
            return TextDelta(text, self._index)
        return ToolCallDelta(self.calls - 1, arguments=text, index=self._index)

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self._held)
        # Only where something follows: the next piece may have more of it.
        if found is None or found.end() == len(self._held):
            return None
        self._held = self._held[found.end() :]
        return found

    def _go(self, state: Literal["list", "call", "arguments", "answer", "done", "plain"]) -> bool:
        self._state, self._value = state, ValueScanner()
        return True


class LooseReader:
    """Reads free text that may hold calls.

    Args:
        tools: Those that may be called.
        index: The choice's.
        marks: Whether the model was told to call between marks; else only an answer that begins as a call is
            taken for one.
    """

    def __init__(self, tools: Mapping[str, Tool], index: int = 0, *, marks: bool) -> None:
        self.calls = 0
        self._tools = tools
        self._index = index
        self._marks = marks
        self._held = ""
        self._state: Literal["start", "bare", "text", "marked"] = "start"
        self._value = ValueScanner()
        self._seen = 0  # of what is held, by the scanner

    def feed(self, text: str) -> Iterator[Said]:
        """Take more text; what is certain by now."""
        self._held += text
        moved = True
        while moved and self._held:
            step: Callable[[], Iterator[Said | bool]] = {
                "start": self._start,
                "bare": self._bare,
                "text": self._text,
                "marked": self._marked,
            }[self._state]
            moved = False
            for each in step():
                if isinstance(each, bool):
                    moved = each
                else:
                    yield each

    def end(self) -> Iterator[Said]:
        """What was held back, as far as it is something: half a call after whole ones is nothing."""
        held, self._held = self._held, ""
        if self.calls and self._state in ("bare", "marked"):
            return
        if self._state == "marked":
            held = OPEN + held
        # After a call the end of its fence says nothing.
        if held.strip(" \r\n\t`" if self.calls else None):
            yield TextDelta(held, self._index)

    def _start(self) -> Iterator[Said | bool]:
        """Nothing has been said yet, but for calls: what comes may be one in its bare JSON."""
        body = self._held.lstrip()
        fenced = _FENCE.match(body)
        if "```json".startswith(body.rstrip()):
            return
        call = body[fenced.end() :] if fenced else body
        if self._marks and (OPEN.startswith(call) or call.startswith(OPEN)):
            if call.startswith(OPEN):
                self._held, self._state = call[len(OPEN) :], "marked"
                yield True
            return
        if not self._may_be_bare(call):
            # Between calls and after them, whitespace and the ends of fences say nothing.
            self._held = self._held if not self.calls else body.removeprefix("```").lstrip()
            self._state = "text"
            yield True
            return
        if call and len("".join(call.split())) > len(_BARE):
            self._state, self._value, self._seen = "bare", ValueScanner(), len(self._held) - len(call)
            yield True

    def _bare(self) -> Iterator[Said | bool]:
        """What begins as a call: held until its JSON ends."""
        end = self._value.feed(self._held[self._seen :])
        if end is None:
            self._seen = len(self._held)
            return
        end += self._seen
        said = self._read(_FENCE.sub("", self._held[:end].lstrip(), count=1))
        if said is None:
            self._state = "text"
        else:
            self._held, self._state = self._held[end:], "start"
            yield from said
        yield True

    def _may_be_bare(self, call: str) -> bool:
        """Whether it begins as the call of a tool that exists, as far as it has come."""
        packed = "".join(call[:400].split())
        packed = packed[1:] if packed.startswith(_DOUBLED) else packed
        if len(packed) <= len(_BARE):
            return _BARE.startswith(packed)
        if not packed.startswith(_BARE):
            return False
        name, closed, _ = packed[len(_BARE) :].partition('"')
        return name in self._tools if closed else any(each.startswith(name) for each in self._tools)

    def _text(self) -> Iterator[Said | bool]:
        """Text, up to a mark, and but for what may become one."""
        if not self._marks:
            text, self._held = self._held, ""
            yield TextDelta(text, self._index)
            return
        before, mark, after = self._held.partition(OPEN)
        if mark:
            self._held, self._state = after, "marked"
        else:
            kept = overlap(before, OPEN)
            before, self._held = before[: len(before) - kept], before[len(before) - kept :]
        # What a model says before it calls ends in line breaks that belong to nobody.
        if text := before.rstrip() if mark else before:
            yield TextDelta(text, self._index)
        yield bool(mark)

    def _marked(self) -> Iterator[Said | bool]:
        """A call between marks: held until the second."""
        inner, mark, after = self._held.partition(CLOSE)
        if not mark:
            return
        if (said := self._read(inner)) is None:
            yield TextDelta(OPEN + inner + CLOSE, self._index)
            self._state = "text"
        else:
            yield from said
            self._state = "start"
        self._held = after
        yield True

    def _read(self, text: str) -> list[Said] | None:
        """The call that a text is; None if it is none."""
        try:
            body = text.strip()
            call = _JSON.decode(body[1:-1] if body.startswith(_DOUBLED) else body)
        except (msgspec.DecodeError, RecursionError):
            return None
        if not isinstance(call, dict):
            return None
        fields = cast("dict[str, Any]", call)
        name, arguments = fields.get("name"), fields.get("arguments", fields.get("parameters"))
        tool = self._tools.get(name) if isinstance(name, str) else None
        if (
            tool is None
            or not isinstance(arguments, dict)
            or not _fits(tool, cast("dict[str, Any]", arguments))
        ):
            return None
        position, self.calls = self.calls, self.calls + 1
        written = msgspec.json.encode(arguments).decode()
        return [
            ToolCallDelta(position, new_call_id(), tool.name, "", self._index),
            ToolCallDelta(position, arguments=written, index=self._index),
        ]


def _fits(tool: Tool, arguments: dict[str, Any]) -> bool:
    """Whether arguments follow a strict tool's schema."""
    if not tool.strict or tool.parameters is None:
        return True
    try:
        return jsonschema_rs.is_valid(tool.parameters, arguments)
    except ValueError:
        return False
