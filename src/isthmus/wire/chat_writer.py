"""Chat Completions answers, as a server: events become chunks (`ChunkWriter`) or one object."""

from collections.abc import Sequence
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
    TokenScore,
    TokenScores,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from isthmus.wire.gathered import Completion, GatheredChoice


def describe_route(route: Route) -> dict[str, Any]:
    """The ``isthmus`` field: who answered and why."""
    evidence = route.decision.evidence
    numbers = {"p_local_wrong": evidence.p_local_wrong, "threshold": evidence.threshold}
    described: dict[str, Any] = {
        "route": route.decision.target,
        "reason": route.decision.reason,
        "stage": route.decision.stage,
        "model": route.model,
        "provider": route.provider,
    }
    described |= {name: round(value, 4) for name, value in numbers.items() if value is not None}
    if evidence.features:
        described["features"] = evidence.features
    return described


def render_usage(usage: Usage) -> dict[str, Any]:
    """OpenAI's usage object."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


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


class ChunkWriter:
    """Renders events as chunks of one streamed completion."""

    def __init__(self, id_: str, model: str, created: int, *, include_usage: bool) -> None:
        self._encoder = msgspec.json.Encoder()
        self._base = {"id": id_, "object": "chat.completion.chunk", "created": created, "model": model}
        self._include_usage = include_usage
        self._scores: dict[int, Sequence[TokenScore]] = {}  # of the choice's next chunk
        # The common chunk, one token of text, is cut from a template instead of built from dicts.
        head = self._encoder.encode(self._base)[:-1]
        self._text_head = head + b',"choices":[{"index":0,"delta":{"content":'
        self._text_tail = b'},"logprobs":null,"finish_reason":null}]}'

    def open(self, route: Route | None, choices: int = 1) -> bytes:
        """The first chunk: the role of each choice, and who answers."""
        extra = {} if route is None else {"isthmus": describe_route(route)}
        rows = [self._choice(i, {"role": "assistant", "content": ""}) for i in range(choices)]
        return self._encode(rows, **extra)

    def render(self, event: Event) -> bytes | None:
        """The chunk for an event, or None if the API has no word for it."""
        match event:
            case TextDelta(text, 0) if 0 not in self._scores:
                return self._text_head + self._encoder.encode(text) + self._text_tail
            case TextDelta(text, index):
                return self._encode([self._choice(index, {"content": text})])
            case ReasoningDelta(text, index):
                return self._encode([self._choice(index, {"reasoning": text, "reasoning_content": text})])
            case ToolCallDelta(index=index):
                return self._encode([self._choice(index, {"tool_calls": [_render_call_delta(event)]})])
            case TokenScores(tokens, index):
                self._scores[index] = (*self._scores.get(index, ()), *tokens)
                return None
            case Notice(code, text, hint):
                return self._encode([], isthmus={"notice": {"code": code, "text": text, "hint": hint}})
            case Finish(reason=reason, index=index):
                return self._encode([self._choice(index, {}, reason)])
            case _:
                return None

    def close(self, finish: Finish, route: Route | None) -> bytes | None:
        """The chunk after the last: usage, if it was asked for, and what it cost."""
        if not self._include_usage or finish.usage is None:
            return None
        extra: dict[str, Any] = {"usage": render_usage(finish.usage)}
        if route is not None:
            extra["isthmus"] = describe_route(route) | {"cost_usd": str(finish.cost_usd or 0)}
        return self._encode([], **extra)

    def _choice(
        self, index: int, delta: dict[str, Any], finish: FinishReason | None = None
    ) -> dict[str, Any]:
        scores = self._scores.pop(index, None)
        logprobs = None if scores is None else {"content": render_logprobs(scores)}
        return {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}

    def _encode(self, choices: list[dict[str, Any]], **extra: Any) -> bytes:
        return self._encoder.encode({**self._base, "choices": choices, **extra})


def _render_call_delta(delta: ToolCallDelta) -> dict[str, Any]:
    function: dict[str, Any] = {"arguments": delta.arguments}
    if delta.name is not None:
        function["name"] = delta.name
    rendered: dict[str, Any] = {"index": delta.position, "function": function}
    if delta.id is not None:
        rendered |= {"id": delta.id, "type": "function"}
    return rendered


def render_completion(completion: Completion, id_: str, model: str, created: int, *, logprobs: bool) -> bytes:
    """OpenAI's ``chat.completion`` object, with the ``isthmus`` field beside it."""
    rows = [_render_choice(index, each, logprobs) for index, each in sorted(completion.choices.items())]
    body: dict[str, Any] = {
        "id": id_,
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": rows,
        "usage": render_usage(completion.usage),
    }
    if completion.route:
        cost = completion.last.cost_usd if completion.last else None
        body["isthmus"] = describe_route(completion.route) | {"cost_usd": str(cost or 0)}
        if completion.notices:
            body["isthmus"]["notices"] = [msgspec.to_builtins(each) for each in completion.notices]
    return msgspec.json.encode(body)


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
