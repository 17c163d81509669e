"""The output items of a response as they grow, each with the events that tell of it.

An event here is its type and its fields, but for the sequence number, which is its stream's matter.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import msgspec

from isthmus.messages import TokenScore
from isthmus.wire.chat_writer import render_logprobs
from isthmus.wire.responses_input import InputReader
from isthmus.wire.responses_items import Item, new_id
from isthmus.wire.responses_tools import INPUT, Known

Status: TypeAlias = Literal["in_progress", "completed", "incomplete"]
Told: TypeAlias = tuple[str, dict[str, Any]]


class OutputItem(ABC):
    """An item of the output: begun, grown by deltas, ended.

    Args:
        index: Its place in the output.
        prefix: How its id begins.
    """

    def __init__(self, index: int, prefix: str) -> None:
        self.index = index
        self.id = new_id(prefix)
        self.status: Status = "in_progress"

    @property
    @abstractmethod
    def value(self) -> Item:
        """The item as far as it has come."""

    def begin(self) -> list[Told]:
        """What tells of its beginning."""
        return [("response.output_item.added", {"output_index": self.index, "item": self.value})]

    def end(self, status: Status) -> list[Told]:
        """What tells of its end."""
        told = self._last_words()
        self.status = status
        return [*told, ("response.output_item.done", {"output_index": self.index, "item": self.value})]

    @abstractmethod
    def _last_words(self) -> list[Told]:
        """What tells that its parts are complete."""

    @property
    def _here(self) -> dict[str, Any]:
        return {"item_id": self.id, "output_index": self.index}


class MessageItem(OutputItem):
    """The model's words."""

    def __init__(self, index: int) -> None:
        super().__init__(index, "msg")
        self._texts: list[str] | None = None
        self._scores: list[TokenScore] = []

    @property
    def value(self) -> Item:
        """The message; its one part is there once it has been told of."""
        return {
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "status": self.status,
            "content": [] if self._texts is None else [self._part],
        }

    def begin(self) -> list[Told]:
        """The item, then its part, both empty."""
        told = super().begin()
        self._texts = []
        return [
            *told,
            ("response.content_part.added", {**self._here, "content_index": 0, "part": self._part}),
        ]

    def note(self, text: str) -> None:
        """Take a delta that somebody else tells of."""
        if self._texts is not None:
            self._texts.append(text)

    def add(self, text: str, scores: Sequence[TokenScore]) -> list[Told]:
        """More words, with their tokens' log-probabilities where they were asked for."""
        self.note(text)
        self._scores.extend(scores)
        delta = {"content_index": 0, "delta": text, "logprobs": render_logprobs(scores)}
        return [("response.output_text.delta", {**self._here, **delta})]

    def _last_words(self) -> list[Told]:
        part, place = self._part, {**self._here, "content_index": 0}
        done = {**place, "text": part["text"], "logprobs": part["logprobs"]}
        return [
            ("response.output_text.done", done),
            ("response.content_part.done", {**place, "part": part}),
        ]

    @property
    def _part(self) -> Item:
        text = "".join(self._texts or ())
        return {
            "type": "output_text",
            "text": text,
            "annotations": [],
            "logprobs": render_logprobs(self._scores),
        }


class ReasoningItem(OutputItem):
    """The model's thinking.

    Args:
        index: Its place in the output.
        summary: Whether a summary was asked for: an open model's is its thinking itself.
    """

    def __init__(self, index: int, *, summary: bool) -> None:
        super().__init__(index, "rs")
        self._summary = summary
        self._texts: list[str] | None = None

    @property
    def value(self) -> Item:
        """The item; its parts are there once they have been told of."""
        told = self._texts is not None
        return {
            "id": self.id,
            "type": "reasoning",
            "status": self.status,
            "summary": [self._part("summary_text")] if told and self._summary else [],
            "content": [self._part("reasoning_text")] if told else [],
        }

    def begin(self) -> list[Told]:
        """The item, then its parts, all empty."""
        told = super().begin()
        self._texts = []
        if self._summary:
            part = {"summary_index": 0, "part": self._part("summary_text")}
            told.append(("response.reasoning_summary_part.added", {**self._here, **part}))
        part = {"content_index": 0, "part": self._part("reasoning_text")}
        return [*told, ("response.content_part.added", {**self._here, **part})]

    def add(self, text: str) -> list[Told]:
        """More thinking."""
        if self._texts is not None:
            self._texts.append(text)
        told: list[Told] = []
        if self._summary:
            delta = {**self._here, "summary_index": 0, "delta": text}
            told.append(("response.reasoning_summary_text.delta", delta))
        delta = {**self._here, "content_index": 0, "delta": text}
        return [*told, ("response.reasoning_text.delta", delta)]

    def _last_words(self) -> list[Told]:
        told: list[Told] = []
        if self._summary:
            part, place = self._part("summary_text"), {**self._here, "summary_index": 0}
            told += [
                ("response.reasoning_summary_text.done", {**place, "text": part["text"]}),
                ("response.reasoning_summary_part.done", {**place, "part": part}),
            ]
        part, place = self._part("reasoning_text"), {**self._here, "content_index": 0}
        return [
            *told,
            ("response.reasoning_text.done", {**place, "text": part["text"]}),
            ("response.content_part.done", {**place, "part": part}),
        ]

    def _part(self, kind: str) -> Item:
        return {"type": kind, "text": "".join(self._texts or ())}


class CallItem(OutputItem):
    """A call of a tool, in the shape in which its caller knows the tool."""

    def __init__(self, index: int, prefix: str, known: Known, call_id: str) -> None:
        super().__init__(index, prefix)
        self._known = known
        self._call_id = call_id
        self._arguments: list[str] = []

    @property
    def arguments(self) -> str:
        """What it is called with, as far as it has come."""
        return "".join(self._arguments)

    @property
    def whole(self) -> bool:
        """Whether the arguments are a whole JSON object, which nothing can go on."""
        text = self.arguments
        return text.lstrip()[:1] == "{" and _object(text) is not None

    def add(self, arguments: str) -> list[Told]:
        """More of the arguments."""
        if arguments:
            self._arguments.append(arguments)
        return []

    @property
    def _named(self) -> Item:
        named: Item = {"call_id": self._call_id, "name": self._known.name, "status": self.status}
        return named if self._known.namespace is None else named | {"namespace": self._known.namespace}


class FunctionCallItem(CallItem):
    """A call of a function."""

    def __init__(self, index: int, known: Known, call_id: str) -> None:
        super().__init__(index, "fc", known, call_id)

    @property
    def value(self) -> Item:
        """The call."""
        return {"id": self.id, "type": "function_call", "arguments": self.arguments, **self._named}

    def add(self, arguments: str) -> list[Told]:
        """More of the arguments."""
        super().add(arguments)
        if not arguments:
            return []
        return [("response.function_call_arguments.delta", {**self._here, "delta": arguments})]

    def _last_words(self) -> list[Told]:
        # A call without arguments is one with none: an empty text isn't JSON.
        told = [] if self.arguments else self.add("{}")
        done = {**self._here, "arguments": self.arguments}
        return [*told, ("response.function_call_arguments.done", done)]


class CustomCallItem(CallItem):
    """A call of a custom tool, whose input is told of as text."""

    def __init__(self, index: int, known: Known, call_id: str) -> None:
        super().__init__(index, "ctc", known, call_id)
        self._reader = InputReader()
        self._texts: list[str] = []

    @property
    def value(self) -> Item:
        """The call."""
        return {"id": self.id, "type": "custom_tool_call", "input": "".join(self._texts), **self._named}

    def add(self, arguments: str) -> list[Told]:
        """More of the arguments."""
        super().add(arguments)
        return self._tell(self._reader.feed(arguments))

    def _last_words(self) -> list[Told]:
        told = [] if self._reader.opened else self._tell(self._otherwise())
        return [*told, ("response.custom_tool_call_input.done", {**self._here, "input": self.value["input"]})]

    def _tell(self, text: str) -> list[Told]:
        if not text:
            return []
        self._texts.append(text)
        return [("response.custom_tool_call_input.delta", {**self._here, "delta": text})]

    def _otherwise(self) -> str:
        """The input of arguments in another form: that in their midst, or else all of them."""
        wrapped = (_object(self.arguments) or {}).get(INPUT)
        return wrapped if isinstance(wrapped, str) else self.arguments


def _object(text: str) -> dict[str, Any] | None:
    try:
        value: Any = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None  # pyright: ignore[reportUnknownVariableType]
