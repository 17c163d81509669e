"""Completions answers, as a server: events become chunks (`TextChunkWriter`) or one object."""

from collections.abc import Iterable, Sequence

from isthmus.messages import Event, Finish, FinishReason, TextDelta, TokenScore
from isthmus.wire.chunks import ChunkWriter, Stamp, render_whole
from isthmus.wire.completions_answer import TextChoice, TextLogprobs
from isthmus.wire.gathered import Completion, GatheredChoice

_ONE_TEXT = b'{"text":', b',"index":0,"logprobs":null,"finish_reason":null}'


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


class TextChunkWriter(ChunkWriter):
    """Renders events as chunks of one streamed completion.

    Args:
        stamp: Its marks.
        heads: What each choice's text begins with: its prompt, where that is to be repeated.
        include_usage: Whether the last chunk says how many tokens there were.
    """

    def __init__(self, stamp: Stamp, *, heads: Sequence[str], include_usage: bool) -> None:
        kind, choices = "text_completion", len(heads)
        super().__init__(kind, stamp, text=_ONE_TEXT, choices=choices, include_usage=include_usage)
        self._heads = heads
        self._said = [len(head) for head in heads]  # characters of each choice

    def render(self, event: Event) -> bytes | None:
        """The chunk for an event, or None if the API has no word for it."""
        chunk = super().render(event)
        if isinstance(event, TextDelta):
            self._said[event.index] += len(event.text)
        return chunk

    def _beginnings(self) -> list[TextChoice]:
        return [TextChoice(head, index, None, None) for index, head in enumerate(self._heads)]

    def _choice(self, event: Event) -> TextChoice | None:
        match event:
            case TextDelta(text, index):
                return self._row(index, text)
            case Finish(reason=reason, index=index):
                return self._row(index, "", reason)
            case _:
                return None

    def _row(self, index: int, text: str, finish: FinishReason | None = None) -> TextChoice:
        scores = self._take_scores(index)
        logprobs = None if scores is None else render_scores(scores, self._said[index])
        return TextChoice(text, index, logprobs, finish)


def render_text_completion(
    completion: Completion, stamp: Stamp, *, heads: Sequence[str], logprobs: bool
) -> bytes:
    """OpenAI's ``text_completion`` object, with the ``isthmus`` field beside it.

    Args:
        completion: The answer.
        stamp: Its marks.
        heads: What each choice's text begins with.
        logprobs: Whether log-probabilities were asked for.
    """
    rows = [_whole(completion.choice(index), index, head, logprobs) for index, head in enumerate(heads)]
    return render_whole("text_completion", stamp, rows, completion)


def _whole(choice: GatheredChoice, index: int, head: str, logprobs: bool) -> TextChoice:
    scores = render_scores(choice.scores, len(head)) if logprobs else None
    return TextChoice(head + choice.text, index, scores, choice.finish)
