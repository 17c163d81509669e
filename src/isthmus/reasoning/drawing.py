"""Drawing samples: wave by wave, each wave one batch, until the vote is settled or something is used up.

A wave's samples share their prompt, which is read once. As soon as one of them has ended it is counted, and
once the vote is settled the rest of the wave is broken off, which frees its slots.
"""

import asyncio
from contextlib import aclosing
from typing import Literal, TypeAlias

from msgspec.structs import replace

from isthmus.errors import IsthmusError
from isthmus.generator import EventStream, Generator
from isthmus.messages import (
    Event,
    Finish,
    GenerationRequest,
    Notice,
    Progress,
    ReasoningDelta,
    SampleDelta,
    TextDelta,
    TokenScores,
)
from isthmus.reasoning.effort import Plan
from isthmus.reasoning.measuring import Measure
from isthmus.reasoning.pieces import Growing
from isthmus.reasoning.spending import Run, Spending
from isthmus.reasoning.vote import Standing, Vote

Stopped: TypeAlias = Literal["settled", "all", "tokens", "time", "failed"]
"""Why no more samples were drawn."""

_OF_A_CHOICE = TextDelta | ReasoningDelta | TokenScores | Finish

TEMPERATURE = 0.7
"""Of samples, as self-consistency was measured with (arXiv 2203.11171, section 3.1)."""
_LEAST_TEMPERATURE = 0.3
"""Below it samples are too much alike to say anything by their number."""


class Drawing:
    """The samples of one question.

    Args:
        home: The model.
        request: What each sample is asked, its length and all.
        program: What those are asked that are to be programs.
        plan: How many there may be, and how they are counted.
        spending: What was spent so far; what is drawn is added to it.
        measure: Looks at samples whose text doesn't say what they count for.

    Attributes:
        samples: Those that were counted, in the order in which they ended.
        stopped: Why there are no more; None while there may be.
    """

    def __init__(
        self,
        home: Generator,
        request: GenerationRequest,
        program: GenerationRequest,
        plan: Plan,
        spending: Spending,
        measure: Measure | None = None,
    ) -> None:
        self._home = home
        self._request = request
        self._program = program
        self._plan = plan
        self._spending = spending
        self._measure = measure
        self._vote = Vote(plan.kind, plan.rules)
        self._begun = 0
        self.samples: list[Growing] = []
        self.stopped: Stopped | None = None

    @property
    def standing(self) -> Standing:
        """How the vote stands."""
        return self._vote.standing

    async def draw(self) -> EventStream:
        """Yield what is to be shown while samples are drawn.

        Raises:
            IsthmusError: The model failed before any sample came to an answer.
        """
        while (count := self._next_wave()) > 0:
            rules = self._plan.rules
            program, likeliest = self._begun >= rules.worked, self._begun < rules.likeliest
            wave = _Wave(self._begun, count, program=program, likeliest=likeliest and not program)
            self._begun += count
            try:
                async with aclosing(self._drawn(wave)) as events:
                    async for event in events:
                        yield event
            except IsthmusError as error:
                if self.standing.chosen is None:
                    raise
                self.stopped = "failed"
                text = f"{error.message}; the answer is that of the {self.standing.counted} samples before"
                yield Notice("samples_failed", text, error.hint)
            finally:
                self._spending.add(wave.run)

    def _next_wave(self) -> int:
        """How many samples are drawn next; 0: no more, and ``stopped`` says why."""
        rules, budget = self._plan.rules, self._plan.budget
        left = budget.left(self._spending.written)
        # What is asked for differently is asked for in waves of its own.
        ends = (min(rules.likeliest, rules.worked), rules.worked, rules.samples)
        alike = next((end for end in ends if end > self._begun), self._begun) - self._begun
        wanted = min(rules.wave, alike, self.standing.missing)
        if self.stopped is not None:
            return 0
        if self.standing.settled:
            self.stopped = "settled"
        elif wanted <= 0:
            self.stopped = "all"
        elif left is not None and left < budget.each:
            self.stopped = "tokens"
        elif self._spending.late:
            self.stopped = "time"
        else:
            return wanted if left is None else min(wanted, left // budget.each)
        return 0

    async def _drawn(self, wave: "_Wave") -> EventStream:
        async with (
            aclosing(self._home.stream(self._asked(wave))) as events,
            aclosing(until(events, self._spending.deadline)) as timely,
        ):
            async for event in timely:
                if isinstance(event, _OF_A_CHOICE) and event.index >= len(wave.samples):
                    continue  # nobody asked for it
                for shown in wave.take(event):
                    yield shown
                if isinstance(event, Finish):
                    async for shown in self._counted(wave, event.index):
                        yield shown
                if self.standing.settled or wave.hopeless:
                    break
        # Of those that are broken off, what they have come to by now may count: not where that was enough.
        for index in wave.going:
            if self.standing.settled:
                yield SampleDelta(wave.first + index, "", ended=True)
            else:
                wave.samples[index].finish = "length"
                async for shown in self._counted(wave, index):
                    yield shown

    async def _counted(self, wave: "_Wave", index: int) -> EventStream:
        growing = wave.samples[index]
        ballot = None
        if self._measure is not None:
            ballot = await self._measure.ballot(growing, program=wave.program)
        self.samples.append(growing)
        standing = self._vote.add(growing.sample(), ballot)
        place = len(self.samples) - 1
        value = next((each.value for each in standing.candidates if place in each.samples), None)
        yield SampleDelta(wave.first + index, "", ended=True, value=value)
        yield ReasoningDelta(f"{standing.line}\n")
        yield Progress(standing.line, standing.counted, standing.most)

    def _asked(self, wave: "_Wave") -> GenerationRequest:
        """What a wave is asked: as the caller wants tokens to be chosen, but so that samples differ."""
        request = self._program if wave.program else self._request
        temperature = 0.0 if wave.likeliest else request.temperature
        seed = 0 if request.seed is None and request.temperature == 0 else request.seed
        if temperature is None or (temperature < _LEAST_TEMPERATURE and not wave.likeliest):
            temperature = TEMPERATURE
        scored = request.top_logprobs
        if scored is None and self._plan.rules.weighting == "logprob":
            scored = 0
        return replace(
            request,
            n=len(wave.samples),
            temperature=temperature,
            seed=None if seed is None else seed + wave.first,
            top_logprobs=scored,
        )


class _Wave:
    """Some samples that are written side by side; ``first`` is the number of the first of them."""

    def __init__(self, first: int, count: int, *, program: bool, likeliest: bool) -> None:
        self.first = first
        self.program = program
        self.likeliest = likeliest
        self.samples = [Growing() for _ in range(count)]
        self.run = Run()

    @property
    def going(self) -> list[int]:
        """Those that have not ended."""
        return [index for index, each in enumerate(self.samples) if each.finish is None]

    @property
    def hopeless(self) -> bool:
        """Whether all that have not ended go round in circles."""
        return all(self.samples[index].circling for index in self.going)

    def take(self, event: Event) -> list[Event]:
        """Take note of an event; what is to be shown of it."""
        match event:
            case TextDelta(text, index):
                self.run.take(event)
                self.samples[index].add(text)
                return [SampleDelta(self.first + index, text)]
            case ReasoningDelta():
                self.run.take(event)
            case TokenScores(tokens, index):
                self.run.take(event)
                self.samples[index].scores.extend(tokens)
            case Finish(reason, index=index):
                self.run.take(event)
                self.samples[index].finish = reason
            case Notice() | Progress():
                return [event]
            case _:
                pass
        return []


async def until(events: EventStream, deadline: float | None) -> EventStream:
    """The events that come before a time of the event loop's clock; the rest is left where it is."""
    if deadline is None:
        async for event in events:
            yield event
        return
    while True:
        try:
            async with asyncio.timeout_at(deadline):
                event = await anext(events)
        except (StopAsyncIteration, TimeoutError):
            return
        yield event
