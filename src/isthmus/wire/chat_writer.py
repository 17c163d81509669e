"""Chat Completions answers, as a server: events become chunks (`ChatChunkWriter`) or one object."""

from collections.abc import Sequence
from typing import Any

from isthmus.messages import (
    Event,
    Finish,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    TokenScore,
    ToolCall,
    ToolCallDelta,
)
from isthmus.wire.chunks import ChunkWriter, Stamp, render_whole
from isthmus.wire.gathered import Completion, GatheredChoice

_ONE_TEXT = b'{"index":0,"delta":{"content":', b'},"logprobs":null,"finish_reason":null}'


def render_logprobs(tokens: Sequence[TokenScore]) -> list[dict[str, Any]]:
    """OpenAI's ``logprobs.content``."""
    return [
        {
            "token": each.token,
            "logprob": each.logprob,
            "bytes": list(each.utf8),
            "top_logprobs": [
                {"token": rival.token, "logprob": rival.logprob, "bytes": list(rival.utf8)}
                for rival in each.top
            ],
        }
        for each in tokens
    ]


class ChatChunkWriter(ChunkWriter):
    """Renders events as chunks of one streamed completion.

    Args:
        stamp: Its marks.
        choices: How many choices it has.
        include_usage: Whether the last chunk says how many tokens there were.
    """

    def __init__(self, stamp: Stamp, *, choices: int = 1, include_usage: bool) -> None:
        kind = "chat.completion.chunk"
        super().__init__(kind, stamp, text=_ONE_TEXT, choices=choices, include_usage=include_usage)

    def _beginnings(self) -> list[dict[str, Any]]:
        return [self._row(index, {"role": "assistant", "content": None}) for index in range(self._choices)]

    def _choice(self, event: Event) -> dict[str, Any] | None:
        match event:
            case TextDelta(text, index):
                return self._row(index, {"content": text})
            case ReasoningDelta(text, index):
                return self._row(index, {"reasoning": text, "reasoning_content": text})
            case ToolCallDelta(index=index):
                return self._row(index, {"tool_calls": [_render_call_delta(event)]})
            case Finish(reason=reason, index=index):
                return self._row(index, {}, reason)
            case _:
                return None

    def _row(self, index: int, delta: dict[str, Any], finish: FinishReason | None = None) -> dict[str, Any]:
        scores = self._take_scores(index)
        logprobs = None if scores is None else {"content": render_logprobs(scores)}
        return {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}


def _render_call_delta(delta: ToolCallDelta) -> dict[str, Any]:
    function: dict[str, Any] = {"arguments": delta.arguments}
    if delta.name is not None:
        function["name"] = delta.name
    rendered: dict[str, Any] = {"index": delta.position, "function": function}
    if delta.id is not None:
        rendered |= {"id": delta.id, "type": "function"}
    return rendered


def render_completion(completion: Completion, stamp: Stamp, *, logprobs: bool) -> bytes:
    """OpenAI's ``chat.completion`` object, with the ``isthmus`` field beside it.

    Args:
        completion: The answer.
        stamp: Its marks.
        logprobs: Whether log-probabilities were asked for.
    """
    rows = [_render_choice(index, each, logprobs) for index, each in sorted(completion.choices.items())]
    return render_whole("chat.completion", stamp, rows, completion)


def _render_choice(index: int, choice: GatheredChoice, logprobs: bool) -> dict[str, Any]:
    text, thought, calls = choice.text, choice.reasoning, choice.calls
    message: dict[str, Any] = {"role": "assistant", "content": text if text or not calls else None}
    message["refusal"] = None
    if thought:
        message |= {"reasoning": thought, "reasoning_content": thought}
    if calls:
        message["tool_calls"] = [_render_call(call) for call in calls]
    return {
        "index": index,
        "message": message,
        "logprobs": {"content": render_logprobs(choice.scores)} if logprobs else None,
        "finish_reason": choice.finish,
    }


def _render_call(call: ToolCall) -> dict[str, Any]:
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }
