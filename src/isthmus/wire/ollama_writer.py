"""Ollama's answers: events become lines of JSON (`LineWriter`), or one object."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from isthmus.messages import (
    Event,
    Finish,
    FinishReason,
    Notice,
    ReasoningDelta,
    Route,
    TextDelta,
    Timings,
    TokenScore,
    TokenScores,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from isthmus.wire.gathered import Completion, GatheredChoice
from isthmus.wire.ollama_request import Api
from isthmus.wire.remarks import remarks

PING = b" "
"""White space before the next line, which every JSON parser passes over. An empty line would end Ollama's
own Python client, and a line without content would count as a token with some."""

_ENCODER = msgspec.json.Encoder()
_BREAKS = {"\x85": b"\\u0085", "\u2028": b"\\u2028", "\u2029": b"\\u2029"}
_BREAKS_UTF8 = [(character.encode(), escaped) for character, escaped in _BREAKS.items()]
"""Characters at which Ollama's Python client ends a line, though JSON's strings may hold them as they are."""
_DONE_REASONS: dict[FinishReason, str] = {"tool_calls": "stop"}


def moment(time: datetime | None = None) -> str:
    """A time as Ollama writes it; now by default."""
    return (time or datetime.now(UTC)).isoformat().replace("+00:00", "Z")


class LineWriter:
    """Renders events as the lines of one streamed answer.

    Tool calls are written when they are complete, as Ollama does: their arguments are objects.

    Args:
        api: Whose lines they are.
        model: The model's name, as the caller said it.
    """

    def __init__(self, api: Api, model: str) -> None:
        self._api: Api = api
        self._model = model
        self._calls = GatheredChoice()
        self._scores: list[TokenScore] = []  # of the next line
        self._notices: list[Notice] = []
        self._route: Route | None = None
        # The common line, one token of text, is cut from a template instead of built from dicts.
        self._head = b'{"model":' + _json(model) + b',"created_at":"'
        if api == "chat":
            self._middle, self._tail = b'","message":{"role":"assistant","content":', b'},"done":false}\n'
        else:
            self._middle, self._tail = b'","response":', b',"done":false}\n'

    def render(self, event: Event) -> bytes | None:
        """The line for an event, or None if it has none of its own."""
        match event:
            case TextDelta(text) if not self._scores:
                return self._head + moment().encode() + self._middle + _json(text) + self._tail
            case TextDelta(text):
                return self._line(_said(self._api, text))
            case ReasoningDelta(text):
                return self._line(_said(self._api, "", thought=text))
            case ToolCallDelta():
                self._calls.add(event)
            case TokenScores(tokens):
                self._scores.extend(tokens)
            case Notice():
                self._notices.append(event)
            case Route():
                self._route = event
            case _:
                pass
        return None

    def close(self, finish: Finish, ignored: Sequence[str]) -> bytes:
        """The lines that end an answer: its tool calls, and what it took.

        Args:
            finish: Its end.
            ignored: Parameters of the request that had no effect.
        """
        calls, unreadable = _split_calls(self._calls.calls)
        lines = self._line(_said(self._api, "", calls=calls)) if calls else b""
        scores = _logprobs(self._scores) if self._scores else {}
        extra = _extension(self._route, finish, [*self._notices, *unreadable], ignored)
        last = {**self._base(), **_said(self._api, ""), **scores, **_end(finish), **extra}
        return lines + _json(last) + b"\n"

    def _line(self, said: dict[str, Any]) -> bytes:
        scores, self._scores = self._scores, []
        logprobs = _logprobs(scores) if scores else {}
        return _json({**self._base(), **said, **logprobs, "done": False}) + b"\n"

    def _base(self) -> dict[str, Any]:
        return {"model": self._model, "created_at": moment()}


def render_answer(api: Api, model: str, completion: Completion, ignored: Sequence[str]) -> bytes:
    """A whole answer as one object: what its stream's lines say together.

    Args:
        api: Whose answer it is.
        model: The model's name, as the caller said it.
        completion: The answer.
        ignored: Parameters of the request that had no effect.
    """
    choice = completion.choice()
    calls, unreadable = _split_calls(choice.calls)
    finish = completion.last or Finish("stop")
    answer = {
        "model": model,
        "created_at": moment(),
        **_said(api, choice.text, thought=choice.reasoning, calls=calls),
        **(_logprobs(choice.scores) if choice.scores else {}),
        **_end(finish),
        **_extension(completion.route, finish, [*completion.notices, *unreadable], ignored),
    }
    return _json(answer)


def render_empty(api: Api, model: str, reason: str) -> bytes:
    """The answer to a request that only loads or unloads a model; ``reason`` says which."""
    return _json(
        {"model": model, "created_at": moment(), **_said(api, ""), "done": True, "done_reason": reason}
    )


def one_line(text: bytes) -> bytes:
    """A JSON text of one line, as one that no client takes for two."""
    if text.isascii():
        return text
    for character, escaped in _BREAKS_UTF8:
        text = text.replace(character, escaped)
    return text


def _json(value: object) -> bytes:
    return one_line(_ENCODER.encode(value))


# ---------------------------------------------------------------- what is said


def _said(api: Api, text: str, *, thought: str = "", calls: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """The part of an object that holds the answer, or a piece of it."""
    more: dict[str, Any] = {}
    if thought:
        more["thinking"] = thought
    if calls:
        more["tool_calls"] = calls
    if api == "chat":
        return {"message": {"role": "assistant", "content": text, **more}}
    return {"response": text, **more}


def _split_calls(calls: Sequence[ToolCall]) -> tuple[list[dict[str, Any]], list[Notice]]:
    """The calls as Ollama has them; those whose arguments are no object, or broke off, as notices."""
    rendered: list[dict[str, Any]] = []
    unreadable: list[Notice] = []
    for call in calls:
        try:
            arguments = msgspec.json.decode(call.arguments or "{}", type=dict[str, Any])
        except (msgspec.DecodeError, RecursionError):
            text = f"the model called {call.name} with what is no JSON object: {call.arguments}"
            unreadable.append(Notice("tool_call_unreadable", text))
            continue
        function = {"index": len(rendered), "name": call.name, "arguments": arguments}
        rendered.append({"id": call.id, "function": function})
    return rendered, unreadable


def _logprobs(scores: Sequence[TokenScore]) -> dict[str, Any]:
    return {
        "logprobs": [
            {**_token(each), "top_logprobs": [_token(rival) for rival in each.top]} for each in scores
        ]
    }


def _token(score: TokenScore) -> dict[str, Any]:
    return {"token": score.token, "logprob": score.logprob, "bytes": list(score.utf8)}


# ---------------------------------------------------------------- what it took


def _end(finish: Finish) -> dict[str, Any]:
    """Why an answer ended, and what it took: durations in nanoseconds."""
    usage, timings = finish.usage or Usage(), finish.timings or Timings()
    total_s = timings.total_s or 0.0
    first_s = timings.first_token_s if timings.first_token_s is not None else total_s
    wait_s = timings.wait_s or 0.0
    prompt_s = timings.prompt_s if timings.prompt_s is not None else max(0.0, first_s - wait_s)
    if timings.tokens_per_s:
        decode_s = usage.completion_tokens / timings.tokens_per_s
    else:
        decode_s = max(0.0, total_s - first_s)
    return {
        "done": True,
        "done_reason": _DONE_REASONS.get(finish.reason, finish.reason),
        "total_duration": _nanoseconds(total_s),
        "load_duration": _nanoseconds(wait_s),
        "prompt_eval_count": usage.prompt_tokens,
        "prompt_eval_cached_count": usage.cached_tokens,
        "prompt_eval_duration": _nanoseconds(prompt_s),
        "eval_count": usage.completion_tokens,
        "eval_duration": _nanoseconds(decode_s),
    }


def _nanoseconds(time_s: float) -> int:
    return round(time_s * 1e9)


def _extension(
    route: Route | None, finish: Finish, notices: Sequence[Notice], ignored: Sequence[str]
) -> dict[str, Any]:
    """Our own field, where there is something to say."""
    said = remarks(route, finish if route else None, notices, ignored)
    return {"isthmus": said} if said else {}
