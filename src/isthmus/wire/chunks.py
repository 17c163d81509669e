"""What Chat Completions and Completions have in common: how answers are marked, counted and streamed."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from isthmus.messages import Event, Finish, Notice, Route, TextDelta, TokenScore, TokenScores, Usage
from isthmus.wire.gathered import Completion
from isthmus.wire.remarks import describe_route, remarks
from isthmus.wire.timings import render_timings


class Stamp(Struct, frozen=True):
    """What marks an answer, and each of its chunks; ``created`` in seconds since 1970.

    ``fingerprint`` identifies the engine's build and the weights, where they are at home.
    """

    id: str
    created: int
    model: str
    fingerprint: str | None = None

    def on(self, kind: str) -> dict[str, Any]:
        """The first fields of an object of a kind."""
        marks: dict[str, Any] = {"id": self.id, "object": kind, "created": self.created, "model": self.model}
        return marks if self.fingerprint is None else marks | {"system_fingerprint": self.fingerprint}


def render_usage(usage: Usage) -> dict[str, Any]:
    """OpenAI's usage object."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def render_whole(kind: str, stamp: Stamp, choices: Sequence[Any], completion: Completion) -> bytes:
    """A whole answer, with the ``isthmus`` field beside it.

    Args:
        kind: What the API calls it.
        stamp: Its marks.
        choices: Its choices, as the API has them.
        completion: The rest of it.
    """
    body = {**stamp.on(kind), "choices": choices, "usage": render_usage(completion.usage)}
    if completion.last is not None and len(choices) == 1:
        body |= render_timings(completion.last)
    if completion.route:
        body["isthmus"] = remarks(completion.route, completion.last, completion.notices)
    return msgspec.json.encode(body)


class ChunkWriter(ABC):
    """Renders events as chunks of one streamed answer; an API's own says what a choice looks like.

    Args:
        kind: What the API calls a chunk.
        stamp: The answer's marks.
        text: The JSON of the only choice of a chunk that is one more text of the first choice, before that
            text and after it.
        choices: How many choices it has.
        include_usage: Whether the last chunk says how many tokens there were.
    """

    def __init__(
        self, kind: str, stamp: Stamp, *, text: tuple[bytes, bytes], choices: int, include_usage: bool
    ) -> None:
        self._choices = choices
        self._encoder = msgspec.json.Encoder()
        self._base = stamp.on(kind)
        self._include_usage = include_usage
        self._scores: dict[int, Sequence[TokenScore]] = {}  # of the choice's next chunk
        # The common chunk, one token of text, is cut from a template instead of built from dicts.
        before, after = text
        self._text_head = self._encoder.encode(self._base)[:-1] + b',"choices":[' + before
        self._text_tail = after + b"]}"

    def open(self, route: Route | None) -> bytes:
        """The first chunk: how each choice begins, and who answers."""
        extra = {} if route is None else {"isthmus": describe_route(route)}
        return self._encode(self._beginnings(), **extra)

    def render(self, event: Event) -> bytes | None:
        """The chunk for an event, or None if the API has no word for it."""
        match event:
            case TextDelta(text, 0) if 0 not in self._scores:
                return self._text_head + self._encoder.encode(text) + self._text_tail
            case TokenScores(tokens, index):
                self._scores[index] = (*self._scores.get(index, ()), *tokens)
                return None
            case Notice(code, text, hint):
                return self._encode([], isthmus={"notice": {"code": code, "text": text, "hint": hint}})
            case _:
                choice = self._choice(event)
                extra = self._timings(event) if isinstance(event, Finish) and not self._include_usage else {}
                return None if choice is None else self._encode([choice], **extra)

    def close(self, finish: Finish, route: Route | None) -> bytes | None:
        """The chunk after the last: usage, if it was asked for, and what it cost."""
        if not self._include_usage or finish.usage is None:
            return None
        extra: dict[str, Any] = {"usage": render_usage(finish.usage)} | self._timings(finish)
        if route is not None:
            extra["isthmus"] = remarks(route, finish)
        return self._encode([], **extra)

    @abstractmethod
    def _beginnings(self) -> Sequence[Any]:
        """What is said of each choice before any event."""

    @abstractmethod
    def _choice(self, event: Event) -> Any | None:
        """The choice that says an event, with the scores that wait for it; None: there is no word for it."""

    def _timings(self, finish: Finish) -> dict[str, Any]:
        """They stand in the last chunk of an answer, whichever that is."""
        return render_timings(finish) if self._choices == 1 else {}

    def _take_scores(self, index: int) -> Sequence[TokenScore] | None:
        return self._scores.pop(index, None)

    def _encode(self, choices: Sequence[Any], **extra: Any) -> bytes:
        return self._encoder.encode({**self._base, "choices": choices, **extra})
