"""A model that thinks, as any `Generator`: its thought is told apart, bounded, and followed by an answer.

    read      events come from the model; thoughts are told from answers, counted and looked after
    cut       a thought that has used up its budget, goes round in circles or broke its format is left there
    continue  the model is asked again, with its thought so far, closed: what it says then is the answer

Whatever the engine has told apart already stays as it is. What it has left in the text is read here, and so
is everything that a runner leaves there. A budget is the engine's to keep, where it can; one that it doesn't
keep is kept here. A second thought in place of an answer is not waited for: the answer ends as too long.
"""

from collections.abc import Iterable, Iterator
from contextlib import aclosing

from msgspec.structs import replace

from isthmus.errors import AnswerGarbled, RequestError
from isthmus.generator import EventStream, Generator
from isthmus.messages import (
    EFFORTS,
    Event,
    Finish,
    GenerationRequest,
    ModelInfo,
    Notice,
    ReasoningDelta,
    TextDelta,
    TokenScores,
    ToolCallDelta,
    Usage,
)
from isthmus.reasoning.budget import CLOSING, Watch, tokens_in
from isthmus.reasoning.choice import Choice, Cut, total_usage
from isthmus.reasoning.continuing import continuation
from isthmus.reasoning.families import Family, family_of
from isthmus.reasoning.harmony import HarmonyReader
from isthmus.reasoning.parser import MarkReader, Said, ThoughtReader
from isthmus.reasoning.preparing import prepare

_UNKNOWN = Family(
    name="unknown",
    title="a model of which nothing is known",
    template=(),
    opening="<think>",
    closing="</think>",
    efforts={effort: {} for effort in EFFORTS},
    graded=True,
    replay="always",
)
"""A runner's model whose name says nothing may think all the same."""
_WHY: dict[Cut, str] = {
    "budget": "it had used up its budget",
    "time": "its time was up",
    "loop": "it went round in circles",
    "garbled": "it broke the format of its answers",
}
_SECOND_THOUGHT = 256
"""Tokens of thinking that an answer may begin with, once its thought was ended."""


class Thinking:
    """A `Generator` over one whose model may think.

    Args:
        home: The model. One that doesn't think answers as if nothing stood between.
        effort_s: How long a thought may take that effort was asked for; 0: as long as it takes.
        always_s: How long any thought may take.
    """

    def __init__(self, home: Generator, *, effort_s: float = 0.0, always_s: float = 0.0) -> None:
        self._home = home
        self._effort_s = effort_s
        self._always_s = always_s

    @property
    def model(self) -> ModelInfo:
        """What is known of the model."""
        return self._home.model

    def stream(self, request: GenerationRequest) -> EventStream:
        """Yield the thought as such, and then the answer.

        Raises:
            IsthmusError: As the model's own.
        """
        model = self._home.model
        family = family_of(model)
        if request.raw is not None or (family is None and model.template is not None):
            return self._home.stream(request)
        seconds = self._always_s if request.effort is None else self._effort_s
        return _Answer(self._home, family or _UNKNOWN, request, seconds).stream()

    async def close(self) -> None:
        """Free what the model holds."""
        await self._home.close()


class _Answer:
    """One answer on its way."""

    def __init__(self, home: Generator, family: Family, request: GenerationRequest, seconds: float) -> None:
        self._prepared = prepare(family, request, home.model)
        self._request = self._prepared.request
        self._home = home
        self._family = family
        self._seconds = seconds
        self._ours = home.model.template is not None  # a worker of our own, which tells thoughts apart
        self._choices: dict[int, Choice] = {}
        self._usage: Usage | None = None
        self._more: list[Usage] = []
        self._last: Finish | None = None

    async def stream(self) -> EventStream:
        """Its events."""
        for event in self._prepared.opening:
            yield event
        try:
            async with aclosing(self._home.stream(self._request)) as events:
                async for event in events:
                    if isinstance(event, TextDelta) and self._passes(event):
                        yield event
                        continue
                    for said in self._told(event):
                        yield said
                    if self._is_cut():
                        break
        except AnswerGarbled:
            self._break_off()
        if any(choice.thought for choice in self._choices.values()):
            async with aclosing(self._continued()) as events:
                async for event in events:
                    yield event
        for finish in self._finishes():
            yield finish

    # ------------------------------------------------------------ the thought

    def _break_off(self) -> None:
        """The model has broken its format: what is not over is cut."""
        for choice in map(self._choice, range(self._request.n)):
            if not choice.over:
                choice.cut = "garbled"

    def _passes(self, event: TextDelta) -> bool:
        """Whether a text is more of an answer that has begun, as it stands: nearly every token of one is."""
        choice = self._choices.get(event.index)
        if choice is None or choice.cut is not None or not choice.reader.passes(event.text):
            return False
        choice.answer_tokens += tokens_in(event.text)
        return True

    def _is_cut(self) -> bool:
        """Whether all that the model goes on with is thoughts that were cut."""
        choices = self._choices.values()
        return (
            any(c.cut for c in choices) and all(c.over for c in choices) and len(choices) == self._request.n
        )

    def _told(self, event: Event) -> Iterator[Event]:
        """An event, told apart; nothing more of a choice whose thought was cut."""
        match event:
            case TextDelta(index=index) | ReasoningDelta(index=index) | ToolCallDelta(index=index):
                yield from self._taken(self._choice(index), event)
            case TokenScores(index=index) if self._choice(index).cut:
                pass
            case Finish(index=index):
                choice = self._choice(index)
                if choice.cut is None:
                    for said in choice.reader.end():
                        choice.take(said)
                        yield said
                    choice.end(event)
                self._usage, self._last = event.usage or self._usage, event
            case _:
                yield event

    def _taken(self, choice: Choice, event: Said) -> Iterator[Event]:
        told: Iterable[Said] = (event,)
        if isinstance(event, TextDelta):
            told = choice.reader.feed(event.text)
        else:
            choice.reader.answering()
        if isinstance(event, ReasoningDelta) and not choice.watch.tokens:
            text = event.text.lstrip()  # what stands between the mark and the thought is nobody's
            told = (replace(event, text=text),) if text else ()
        for said in told:
            if choice.cut is None:
                choice.take(said)
                yield said

    def _choice(self, index: int) -> Choice:
        if index not in self._choices:
            watch = Watch(self._prepared.budget, kept=self._ours, seconds=self._seconds)
            self._choices[index] = Choice(self._reader(index), watch)
        return self._choices[index]

    def _reader(self, index: int, *, begun: bool = False) -> ThoughtReader:
        """What tells a choice's thought apart; ``begun`` where its answer has."""
        if self._family.channels:
            reader = HarmonyReader(index)
        else:
            # The worker has told a thought apart that the prompt has opened, and none is opened to be off.
            opens = not (self._ours or begun) and self._request.effort != "none"
            marks = self._family.marks
            reader = MarkReader(replace(marks, opened=False) if marks.opened and not opens else marks, index)
        if begun:
            reader.answering()
        return reader

    # ------------------------------------------------------------ the answer behind it

    async def _continued(self) -> EventStream:
        """What follows on thoughts that were cut."""
        for index, choice in sorted(self._choices.items()):
            if choice.cut is not None:
                async with aclosing(self._continue(index, choice, choice.cut)) as events:
                    async for event in events:
                        yield event
            elif CLOSING in choice.watch.text:  # the engine has kept its budget
                yield _ended(choice, "budget")

    async def _continue(self, index: int, choice: Choice, why: Cut) -> EventStream:
        """The answer that follows a thought that was cut."""
        thought = choice.watch.text
        if why in _WHY:
            closing = f"\n\n{CLOSING}" if thought else CLOSING
            thought += closing
            yield ReasoningDelta(closing, index)
            yield _ended(choice, why)
        limit = self._request.max_tokens
        left = None if limit is None else limit - choice.tokens
        choice.finish = Finish("length", index=index)
        if left is not None and left <= 0:
            return
        request = continuation(self._family, self._request, thought, self._home.model, left)
        most = choice.watch.tokens + _SECOND_THOUGHT  # a worker says again what it was given
        reader = self._reader(index, begun=True)
        try:
            async with aclosing(self._home.stream(request)) as events:
                async for event in events:
                    for said in _answering(event, reader, index):
                        match said:
                            case Finish():
                                self._more.append(said.usage or Usage())
                                choice.finish = self._last = said
                            case ReasoningDelta(text):
                                most -= tokens_in(text)
                            case _:
                                yield said
                    if most < 0:
                        return
        except (AnswerGarbled, RequestError):
            return  # a runner that can't go on from a thought: what there is of the answer ends as too long

    def _finishes(self) -> Iterator[Finish]:
        """How each choice ended; the last one with what all of them took."""
        choices = [choice for _, choice in sorted(self._choices.items())]
        finishes = [choice.finish for choice in choices if choice.finish is not None]
        if len(choices) == 1 and not choices[0].thought:
            yield from finishes  # what the model says of them is all that there is to say
            return
        for finish in finishes[:-1]:
            yield replace(finish, usage=None, timings=None)
        if finishes:
            told = self._usage is not None or self._more or any(choice.cut for choice in choices)
            usage = total_usage(self._usage, self._more, choices) if told else None
            timings = self._last.timings if self._last is not None else None
            yield replace(finishes[-1], usage=usage, timings=timings)


def _ended(choice: Choice, why: Cut) -> Notice:
    """What the person is told of a thought that didn't end by itself."""
    text = f"the thought was ended after {choice.watch.tokens:,} tokens: {_WHY[why]}"
    return Notice("thought_ended", text, hint="ask for more reasoning effort")


def _answering(event: Event, reader: ThoughtReader, index: int) -> Iterator[Event]:
    """An event of a continuation, under the index of the choice that it continues."""
    match event:
        case TextDelta(text):
            yield from reader.feed(text)
        case Finish():
            yield from reader.end()
            yield replace(event, index=index)
        case ReasoningDelta() | ToolCallDelta() | TokenScores():
            yield replace(event, index=index)
        case _:
            yield event
