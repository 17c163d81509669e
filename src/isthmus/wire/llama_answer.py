"""Answers in llama.cpp's own words, whole and in pieces."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, cast

import msgspec
from msgspec import Struct

from isthmus.messages import Finish, TokenScore, Usage
from isthmus.wire.chat_answer import EngineTimings, Isthmus
from isthmus.wire.gathered import Completion
from isthmus.wire.llama_request import LlamaCall
from isthmus.wire.remarks import remarks
from isthmus.wire.timings import render_timings

StopType: TypeAlias = Literal["eos", "word", "limit", "none"]

# ---------------------------------------------------------------- shapes, for the OpenAPI document


class ScoredToken(Struct, omit_defaults=True):
    """A token with its number and natural log-probability; ``top_logprobs`` are its likeliest rivals."""

    id: int | None
    token: str
    bytes: list[int]
    logprob: float
    top_logprobs: "list[ScoredToken] | None" = None


class LlamaAnswer(Struct):
    """A whole answer, or the end of a streamed one. ``truncated``: the context was full."""

    index: int
    content: str
    tokens: list[int]
    stop: Literal[True]
    model: str
    tokens_predicted: int
    tokens_evaluated: int
    tokens_cached: int
    generation_settings: dict[str, Any]
    prompt: str | list[int]
    has_new_line: bool
    truncated: bool
    stop_type: StopType
    stopping_word: str
    timings: EngineTimings | None = None
    completion_probabilities: list[ScoredToken] | None = None
    isthmus: Isthmus | None = None


ChosenFields: TypeAlias = dict[str, Any]
"""What is left of an answer where ``response_fields`` names some: their values by their paths."""


class LlamaPiece(Struct):
    """More of an answer."""

    index: int
    content: str
    tokens: list[int]
    stop: Literal[False]
    tokens_predicted: int
    completion_probabilities: list[ScoredToken] | None = None


# ---------------------------------------------------------------- and how they come about


def render_answer(completion: Completion, call: LlamaCall, *, index: int = 0) -> dict[str, Any]:
    """A whole answer.

    Args:
        completion: The answer.
        call: What was asked, of this very prompt.
        index: Its place among the answers of several prompts.
    """
    choice = completion.choice()
    ending = render_end(completion, call, index=index)
    ending["content"] = choice.text
    if call.return_tokens:
        ending["tokens"] = _numbers(choice.scores)
    if call.probs:
        ending["completion_probabilities"] = [_scored(each) for each in choice.scores]
    return ending


def render_end(completion: Completion, call: LlamaCall, *, index: int = 0) -> dict[str, Any]:
    """All of an answer but what it says: the end of a stream. The arguments are `render_answer`'s."""
    choice, last = completion.choice(), completion.last or Finish("stop")
    usage = last.usage or Usage()
    answer: dict[str, Any] = {
        "index": index,
        "content": "",
        "tokens": [],
        "stop": True,
        "model": completion.route.model if completion.route else "",
        "tokens_predicted": usage.completion_tokens,
        "tokens_evaluated": usage.prompt_tokens,
        "tokens_cached": usage.total_tokens,
        "generation_settings": _settings(call),
        "prompt": call.request.raw,
        "has_new_line": "\n" in choice.text,
        "truncated": last.reason == "length" and call.request.max_tokens is None,
        "stop_type": _stop_type(last),
        "stopping_word": last.stop_sequence or "",
    }
    answer |= render_timings(last)
    if completion.route is not None:
        answer["isthmus"] = remarks(completion.route, last, completion.notices)
    return answer


def render_piece(text: str, scores: Sequence[TokenScore], call: LlamaCall, written: int) -> bytes:
    """More of an answer.

    Args:
        text: What it says.
        scores: Those of its tokens, where they are known.
        call: What was asked.
        written: How many pieces there were, this one among them.
    """
    piece: dict[str, Any] = {
        "index": 0,
        "content": text,
        "tokens": _numbers(scores),
        "stop": False,
        "tokens_predicted": written,
    }
    if call.probs:
        piece["completion_probabilities"] = [_scored(each) for each in scores]
    return msgspec.json.encode(piece)


def chosen(answer: dict[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    """The fields of an answer that were asked for, by their paths (``timings/prompt_n``); none: all."""
    if not fields:
        return answer
    found = ((path, _at(answer, path)) for path in fields)
    return {path: value for path, value in found if value is not None}


def _at(answer: Mapping[str, Any], path: str) -> Any:
    value: Any = answer
    for name in path.split("/"):
        if not isinstance(value, dict):
            return None
        value = cast("dict[str, Any]", value).get(name)
    return value


def _settings(call: LlamaCall) -> dict[str, Any]:
    """What the request says of how tokens are chosen; the rest is the engine's own."""
    asked = call.request
    limit = -1 if asked.max_tokens is None else asked.max_tokens
    biases = [{"token": int(token), "bias": bias} for token, bias in (asked.logit_bias or {}).items()]
    said: dict[str, Any] = {
        "seed": asked.seed,
        "temperature": asked.temperature,
        "top_k": asked.top_k,
        "top_p": asked.top_p,
        "min_p": asked.min_p,
        "typical_p": asked.typical_p,
        "repeat_last_n": asked.repeat_last_n,
        "repeat_penalty": asked.repeat_penalty,
        "presence_penalty": asked.presence_penalty,
        "frequency_penalty": asked.frequency_penalty,
        "grammar": asked.grammar,
    }
    return {
        "n_predict": limit,
        "max_tokens": limit,
        "stop": asked.stop,
        "stream": call.stream,
        "n_probs": call.probs,
        "ignore_eos": asked.ignore_eos,
        "logit_bias": biases,
        **{name: value for name, value in said.items() if value is not None},
    }


def _stop_type(finish: Finish) -> StopType:
    if finish.reason == "length":
        return "limit"
    return "word" if finish.stop_sequence else "eos"


def _numbers(scores: Sequence[TokenScore]) -> list[int]:
    return [each.id for each in scores if each.id is not None]


def _scored(score: TokenScore) -> dict[str, Any]:
    return _token(score) | {"top_logprobs": [_token(rival) for rival in score.top]}


def _token(score: TokenScore) -> dict[str, Any]:
    return {"id": score.id, "token": score.token, "bytes": list(score.utf8), "logprob": score.logprob}
