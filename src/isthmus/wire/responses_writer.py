"""Responses answers: events become the events of a stream, and in the end one object.

Both come from the same items: a response given whole is what its stream would have added up to.
"""

import time
from typing import Any, cast

import msgspec

from isthmus.errors import (
    BudgetExceeded,
    Busy,
    ContextLengthExceeded,
    IsthmusError,
    RateLimited,
    RequestError,
    WorkerDied,
)
from isthmus.messages import (
    Event,
    Finish,
    Notice,
    ReasoningDelta,
    Route,
    TextDelta,
    TokenScore,
    TokenScores,
    ToolCallDelta,
    Usage,
)
from isthmus.wire import sse
from isthmus.wire.faults import outward
from isthmus.wire.remarks import remarks
from isthmus.wire.responses_answer import ResponseState
from isthmus.wire.responses_items import Item, new_id
from isthmus.wire.responses_output import (
    CallItem,
    CustomCallItem,
    FunctionCallItem,
    MessageItem,
    OutputItem,
    ReasoningItem,
    Status,
    Told,
)
from isthmus.wire.responses_request import ResponsesCall

_CUT_SHORT = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""Why an answer isn't whole, by its finish reason."""

_CODES: tuple[tuple[type[IsthmusError], str], ...] = (
    (ContextLengthExceeded, "context_length_exceeded"),
    (BudgetExceeded, "insufficient_quota"),
    (Busy, "rate_limit_exceeded"),
    (RateLimited, "rate_limit_exceeded"),
    (RequestError, "invalid_prompt"),
    (IsthmusError, "server_error"),
)
"""OpenAI's words for what ends a response; agents decide by them whether to try again."""

_ENCODER = msgspec.json.Encoder()


class _Unnamed:
    """A call whose name has not come yet."""

    def __init__(self) -> None:
        self.id: str | None = None
        self.arguments = ""


class ResponseWriter:
    """One response under way.

    Its methods give the events to be sent, each a whole server-sent event; the number of an event is its
    place among all that were given.

    Attributes:
        id: Its identifier.
        state: How far it has come.
        route: Who answers and why, once that is known.

    Args:
        call: What was asked.
        model: Who answers, as far as is known at the beginning.
    """

    def __init__(self, call: ResponsesCall, model: str) -> None:
        self.id = new_id("resp")
        self.state: ResponseState = "queued" if call.background else "in_progress"
        self._call = call
        self._model = model
        self._created = int(time.time())
        self._completed: int | None = None
        self._count = 0
        self.route: Route | None = None
        self._notices: list[Notice] = []
        self._items: list[OutputItem] = []
        self._spoken: MessageItem | ReasoningItem | None = None  # the open item of words or thoughts
        self._calls: dict[int, CallItem | _Unnamed] = {}
        self._scores: list[TokenScore] = []  # of the next words
        self._finish: Finish | None = None
        self._error: IsthmusError | None = None
        self._delta_head = b""  # of the open message's deltas, which are cut from a template

    @property
    def output(self) -> list[Item]:
        """The items as far as they have come."""
        return [item.value for item in self._items]

    # ------------------------------------------------------------ its life

    def open(self, route: Route | None = None) -> list[bytes]:
        """The first events; a response of the background is queued before it is in progress."""
        if route is not None:
            self._take_route(route)
        told = [self._tell_all("response.created")]
        return [*told, self._tell_all("response.queued")] if self.state == "queued" else told

    def progress(self) -> bytes:
        """The event that says that the response is being worked on."""
        self.state = "in_progress"
        return self._tell_all("response.in_progress")

    def render(self, event: Event) -> list[bytes]:
        """The events for an event; none if the API has no word for it."""
        match event:
            case TextDelta(text, 0) if text:
                return self._say(text)
            case ReasoningDelta(text, 0) if text:
                return self._think(text)
            case ToolCallDelta(index=0):
                return self._take_call(event)
            case TokenScores(tokens, 0) if self._call.request.top_logprobs is not None:
                self._scores.extend(tokens)
            case Route():
                self._take_route(event)
            case Notice():
                self._notices.append(event)
            case Finish():
                self._finish = event
            case _:
                pass
        return []

    def add(self, event: Event) -> None:
        """Take an event for a response that is given whole."""
        self.render(event)

    def close(self) -> list[bytes]:
        """The last events: what is open is ended, and the response given whole."""
        if self._finish is None:
            return self.fail(WorkerDied("the model ended without finishing its answer"))
        cut = self._finish.reason in _CUT_SHORT
        told = self._end_spoken("incomplete" if cut else "completed")
        for position, call in sorted(self._calls.items()):
            if isinstance(call, _Unnamed):
                told += self._begin_call(position, "", call)
        told += self._end_calls("incomplete" if cut else "completed")
        if not cut and not any(isinstance(item, MessageItem | CallItem) for item in self._items):
            # Whoever looks for the answer finds one, though it is empty.
            told += [*self._begin_message(), *self._end_spoken("completed")]
        self.state = "incomplete" if cut else "completed"
        self._completed = None if cut else int(time.time())
        return [*told, self._tell_all(f"response.{self.state}")]

    def fail(self, error: IsthmusError) -> list[bytes]:
        """The events that end a response by an error: its open items are left as they are."""
        self._error = error
        self._break_off("failed")
        return [self._tell("error", _fault(error)), self._tell_all("response.failed")]

    def cancel(self) -> None:
        """Nobody wants the rest of it."""
        self._break_off("cancelled")

    def body(self) -> bytes:
        """The response as far as it has come."""
        finish, error = self._finish, self._error
        grown: dict[str, Any] = {
            "id": self.id,
            "created_at": self._created,
            "completed_at": self._completed,
            "status": self.state,
            "model": self._model,
            "output": self.output,
            "usage": None if finish is None else render_usage(finish.usage or Usage()),
            "incomplete_details": None,
            "error": None,
        }
        if self.state == "incomplete" and finish is not None:
            grown["incomplete_details"] = {"reason": _CUT_SHORT[finish.reason]}
        if error is not None:
            message, hint = outward(error)
            grown["error"] = {"code": _code(error), "message": message, "hint": hint}
        if self.route is not None:
            grown["isthmus"] = remarks(self.route, finish, self._notices)
        return self._call.echo[:-1] + b"," + _ENCODER.encode(grown)[1:]

    # ------------------------------------------------------------ its growth

    def _say(self, text: str) -> list[bytes]:
        events = [] if isinstance(self._spoken, MessageItem) else self._begin_message()
        message = cast("MessageItem", self._spoken)
        if self._scores:
            scores, self._scores = self._scores, []
            return [*events, *self._tell_each(message.add(text, scores))]
        message.note(text)
        number = b',"sequence_number":%d}\n\n' % self._next()
        events.append(self._delta_head + _ENCODER.encode(text) + number)
        return events

    def _think(self, text: str) -> list[bytes]:
        self._scores.clear()  # the answer's alone are told of
        events: list[bytes] = []
        if not isinstance(self._spoken, ReasoningItem):
            thought = ReasoningItem(len(self._items), summary=self._call.summary)
            events = self._begin(thought)
            self._spoken = thought
        return [*events, *self._tell_each(self._spoken.add(text))]

    def _take_call(self, delta: ToolCallDelta) -> list[bytes]:
        self._scores.clear()
        call = self._calls.get(delta.position) or _Unnamed()
        if isinstance(call, CallItem):
            # What follows a whole object is no part of it.
            return self._tell_each(call.add(delta.arguments)) if call.status == "in_progress" else []
        call.id = call.id or delta.id
        call.arguments += delta.arguments
        if delta.name:
            return self._begin_call(delta.position, delta.name, call)
        self._calls[delta.position] = call
        return []

    def _begin_message(self) -> list[bytes]:
        message = MessageItem(len(self._items))
        events = self._begin(message)
        self._spoken, self._delta_head = message, _delta_head(message)
        return events

    def _begin_call(self, position: int, name: str, heard: _Unnamed) -> list[bytes]:
        known = self._call.toolbox.known(name)
        shape = CustomCallItem if known.kind == "custom" else FunctionCallItem
        call = shape(len(self._items), known, heard.id or new_id("call"))
        events = self._begin(call)
        self._calls[position] = call
        return [*events, *self._tell_each(call.add(heard.arguments))]

    def _begin(self, item: OutputItem) -> list[bytes]:
        """Begin an item, once those are ended that nothing more belongs to."""
        events = [*self._end_spoken("completed"), *self._end_calls()]
        self._items.append(item)
        return [*events, *self._tell_each(item.begin())]

    def _end_spoken(self, status: Status) -> list[bytes]:
        spoken, self._spoken = self._spoken, None
        return [] if spoken is None else self._tell_each(spoken.end(status))

    def _end_calls(self, status: Status | None = None) -> list[bytes]:
        """End the open calls that are whole; with a status for the others, those too."""
        events: list[bytes] = []
        for call in self._items:
            if not isinstance(call, CallItem) or call.status != "in_progress":
                continue
            if ended := "completed" if call.whole else status:
                events += self._tell_each(call.end(ended))
        return events

    def _break_off(self, state: ResponseState) -> None:
        self.state = state
        for item in self._items:
            if item.status == "in_progress":
                item.status = "incomplete"

    def _take_route(self, route: Route) -> None:
        self.route, self._model = route, route.model

    # ------------------------------------------------------------ its events

    def _tell_each(self, told: list[Told]) -> list[bytes]:
        return [self._tell(kind, fields) for kind, fields in told]

    def _tell(self, kind: str, fields: dict[str, Any]) -> bytes:
        return sse.event(kind, _ENCODER.encode({"type": kind, **fields, "sequence_number": self._next()}))

    def _tell_all(self, kind: str) -> bytes:
        """An event that holds the whole response."""
        head = b'{"type":"%s","sequence_number":%d,"response":' % (kind.encode(), self._next())
        return sse.event(kind, head + self.body() + b"}")

    def _next(self) -> int:
        number = self._count
        self._count += 1
        return number


def _delta_head(message: MessageItem) -> bytes:
    kind = "response.output_text.delta"
    fields: dict[str, Any] = {
        "type": kind,
        "item_id": message.id,
        "output_index": message.index,
        "content_index": 0,
        "logprobs": [],
        "delta": None,
    }
    return sse.event(kind, _ENCODER.encode(fields).removesuffix(b"null}")).rstrip(b"\n")


def render_usage(usage: Usage) -> dict[str, Any]:
    """The tokens of one response."""
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.total_tokens,
    }


def _fault(error: IsthmusError) -> dict[str, Any]:
    """An error as an event: its fields stand where OpenAI describes them, and again where it sends them."""
    message, _ = outward(error)
    fault = {"code": _code(error), "message": message, "param": error.param}
    kind = "server_error" if error.http_status >= 500 else "invalid_request_error"
    return {**fault, "error": {"type": kind, **fault}}


def _code(error: IsthmusError) -> str:
    return next(code for kind, code in _CODES if isinstance(error, kind))
