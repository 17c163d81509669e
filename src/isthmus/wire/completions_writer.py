"""Completions answers, as a server: events become chunks (`TextChunkWriter`) or one object."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from isthmus.messages import Event, Finish, FinishReason, Notice, Route, TextDelta, TokenScore, TokenScores
from isthmus.wire.chat_writer import describe_route, render_usage
from isthmus.wire.completions_answer import TextChoice, TextLogprobs
from isthmus.wire.gathered import Completion, GatheredChoice


def render_scores(tokens: Iterable[TokenScore], offset: int) -> TextLogprobs:
    """Log-probabilities of tokens that begin ``offset`` characters into the text."""
    columns = TextLogprobs([], [], [], [])
    for each in tokens:
        columns.tokens.append(each.token)
        columns.token_logprobs.append(each.logprob)
        # The token itself is always among its rivals, however few were asked for.
        columns.top_logprobs.append({each.token: each.logprob} | {top.token: top.logprob for top in each.top})
        columns.text_offset.append(offset)
        offset += len(each.token)
    return columns


class TextChunkWriter:
    """Renders events as chunks of one streamed completion.

    Args:
        id_: The answer's.
        model: Who answers.
        created: When, in seconds since 1970.
        heads: What each choice's text begins with: its prompt, where that is to be repeated.
        include_usage: Whether the last chunk says how many tokens there were.
    """

    def __init__(
        self, id_: str, model: str, created: int, *, heads: Sequence[str], include_usage: bool
    ) -> None:
        self._encoder = msgspec.json.Encoder()
        self._base = {"id": id_, "object": "text_completion", "created": created, "model": model}
        self._include_usage = include_usage
        self._heads = heads
        self._said = [len(head) for head in heads]  # characters of each choice
        self._scores: dict[int, Sequence[TokenScore]] = {}  # of the choice's next chunk
        # The common chunk, one token of text, is cut from a template instead of built from dicts.
        head = self._encoder.encode(self._base)[:-1]
        self._text_head = head + b',"choices":[{"text":'
        self._text_tail = b',"index":0,"logprobs":null,"finish_reason":null}]}'

    def open(self, route: Route | None) -> bytes:
        """The first chunk: what each choice begins with, and who answers."""
        extra = {} if route is None else {"isthmus": describe_route(route)}
        return self._encode([TextChoice(head, i, None, None) for i, head in enumerate(self._heads)], **extra)

    def render(self, event: Event) -> bytes | None:
        """The chunk for an event, or None if the API has no word for it."""
        match event:
            case TextDelta(text, 0) if 0 not in self._scores:
                self._said[0] += len(text)
                return self._text_head + self._encoder.encode(text) + self._text_tail
            case TextDelta(text, index):
                return self._encode([self._choice(index, text)])
            case TokenScores(tokens, index):
                self._scores[index] = (*self._scores.get(index, ()), *tokens)
                return None
            case Notice(code, text, hint):
                return self._encode([], isthmus={"notice": {"code": code, "text": text, "hint": hint}})
            case Finish(reason=reason, index=index):
                return self._encode([self._choice(index, "", reason)])
            case _:
                return None

    def close(self, finish: Finish, route: Route | None) -> bytes | None:
        """The chunk after the last: usage, if it was asked for."""
        if not self._include_usage or finish.usage is None:
            return None
        extra: dict[str, Any] = {"usage": render_usage(finish.usage)}
        if route is not None:
            extra["isthmus"] = describe_route(route) | {"cost_usd": str(finish.cost_usd or 0)}
        return self._encode([], **extra)

    def _choice(self, index: int, text: str, finish: FinishReason | None = None) -> TextChoice:
        scores, offset = self._scores.pop(index, None), self._said[index]
        self._said[index] += len(text)
        return TextChoice(text, index, None if scores is None else render_scores(scores, offset), finish)

    def _encode(self, choices: list[TextChoice], **extra: Any) -> bytes:
        return self._encoder.encode({**self._base, "choices": choices, **extra})


def render_text_completion(
    completion: Completion, id_: str, model: str, created: int, *, heads: Sequence[str], logprobs: bool
) -> bytes:
    """OpenAI's ``text_completion`` object, with the ``isthmus`` field beside it.

    Args:
        completion: The answer.
        id_: Its own.
        model: Who gave it.
        created: When, in seconds since 1970.
        heads: What each choice's text begins with.
        logprobs: Whether log-probabilities were asked for.
    """
    body: dict[str, Any] = {
        "id": id_,
        "object": "text_completion",
        "created": created,
        "model": model,
        "choices": [_whole(completion.choice(i), i, head, logprobs) for i, head in enumerate(heads)],
        "usage": render_usage(completion.usage),
    }
    if completion.route:
        body["isthmus"] = describe_route(completion.route) | {"cost_usd": "0"}
        if completion.notices:
            body["isthmus"]["notices"] = [msgspec.to_builtins(each) for each in completion.notices]
    return msgspec.json.encode(body)


def _whole(choice: GatheredChoice, index: int, head: str, logprobs: bool) -> TextChoice:
    scores = render_scores(choice.scores, len(head)) if logprobs else None
    return TextChoice(head + choice.text, index, scores, choice.finish)
