"""One question being worked on: thoughts, samples and answer, pass by pass, and what they cost.

Everything before the answer is reasoning. The answer is what a thought or a sample ends on, where that is
set apart and the caller wants no form of it; otherwise the model is asked for it, with its thought before it.
"""

from collections.abc import Iterator
from contextlib import aclosing

from msgspec.structs import replace

from isthmus.generator import EventStream, Generator
from isthmus.messages import (
    Confidence,
    Finish,
    GenerationRequest,
    Message,
    Notice,
    Progress,
    Reasoned,
    ReasoningDelta,
    TextDelta,
    TokenScores,
)
from isthmus.reasoning.checking import LOOKED_AT, TOKENS, p_right, reweighed
from isthmus.reasoning.drawing import Drawing, until
from isthmus.reasoning.effort import Plan, instructed, thinking_request
from isthmus.reasoning.measuring import PASSES, Measure, measured
from isthmus.reasoning.pieces import Growing
from isthmus.reasoning.prompts import Prompts
from isthmus.reasoning.spending import Run, Spending
from isthmus.reasoning.splitting import sets_apart, split, unboxed
from isthmus.reasoning.vote import Candidate
from isthmus.reasoning.workshop import Workshop

_MARKS = ("\\boxed", "####")


class Working:
    """Works on one question.

    Args:
        home: The model.
        request: What is asked.
        plan: How it is answered.
        prompts: What the model is told.
        workshop: Where programs run; None where none may be.
    """

    def __init__(
        self,
        home: Generator,
        request: GenerationRequest,
        plan: Plan,
        prompts: Prompts,
        workshop: Workshop | None,
    ) -> None:
        self._home = home
        self._request = request
        self._plan = plan
        self._prompts = prompts
        self._workshop = workshop
        self._spending = Spending(plan.budget.seconds)
        self._drawing: Drawing | None = None
        self._agreement: float | None = None

    async def stream(self) -> EventStream:
        """The events of the answer.

        Raises:
            IsthmusError: The model failed, and there is nothing to make an answer of.
        """
        plan = self._plan
        if plan.notice is not None:
            yield plan.notice
        most = plan.rules.samples if plan.way == "vote" else 1
        yield Progress(plan.statement, 0, most)
        async with aclosing(self._voted() if plan.way == "vote" else self._thought()) as events:
            async for event in events:
                yield event

    # ------------------------------------------------------------ low, medium

    async def _thought(self) -> EventStream:
        """A plan or a thought, and the answer that it leads to."""
        asked = self._asked()
        growing, run = Growing(), Run()
        scored = self._request.top_logprobs is not None and not self._plan.closes
        asked = replace(asked, top_logprobs=self._request.top_logprobs if scored else None)
        try:
            async with (
                aclosing(self._home.stream(asked)) as events,
                aclosing(until(events, self._spending.deadline)) as timely,
            ):
                async for event in timely:
                    match event:
                        case TextDelta(text) | ReasoningDelta(text):
                            run.take(event)
                            growing.add(text)
                            for index in range(self._request.n):
                                yield ReasoningDelta(text, index)
                        case TokenScores(tokens):
                            run.take(event)
                            growing.scores.extend(tokens)
                            yield event
                        case Finish(reason):
                            run.take(event)
                            growing.finish = reason
                        case Notice() | Progress():
                            yield event
                        case _:
                            pass
                    if growing.circling:
                        break
        finally:
            self._spending.add(run)
        whole = self._plan.way == "think" and growing.finish == "stop"
        if whole and not self._plan.closes and sets_apart(growing.text):
            for event in self._concluded(growing, shown=True):
                yield event
            return
        async with aclosing(self._written(asked, growing.text)) as events:
            async for event in events:
                yield event

    def _asked(self) -> GenerationRequest:
        """What the model is asked for before its answer."""
        asked = thinking_request(self._request, self._plan.budget.each)
        if self._plan.way == "plan":
            return instructed(asked, self._prompts.plan)
        question = self._plan.question.casefold()
        stepwise = any(words in question for words in self._prompts.stepwise)
        return asked if stepwise else instructed(asked, self._prompts.think)

    # ------------------------------------------------------------ high, xhigh

    async def _voted(self) -> EventStream:
        """Samples, the vote over them, and the one that stands for most."""
        asked, plan = self._asked(), self._plan
        rules, measure, notice = await measured(plan.question, plan.rules, self._workshop)
        plan = self._plan = replace(plan, rules=rules)
        if notice is not None:
            yield notice
        yield ReasoningDelta(f"{plan.statement}\n")
        scored = replace(asked, top_logprobs=self._request.top_logprobs)
        program = instructed(thinking_request(self._request, plan.budget.each), self._prompts.program)
        program = replace(program, top_logprobs=self._request.top_logprobs)
        drawing = self._drawing = Drawing(self._home, scored, program, plan, self._spending, measure)
        async with aclosing(drawing.draw()) as events:
            async for event in events:
                yield event
        candidates = drawing.standing.candidates
        if self._may_check(drawing):
            candidates = await self._checked(drawing)
            yield ReasoningDelta(f"after a second look: {candidates[0].value}\n")
        if not candidates:
            text = "no sample came to an answer, so that the model is asked once more, plainly"
            yield Notice("no_sample_answered", text)
            async with aclosing(self._written(self._request, "")) as events:
                async for event in events:
                    yield event
            return
        leader = candidates[0]
        self._agreement = leader.votes / drawing.standing.counted
        yield Confidence(self._agreement, "tests" if leader.value == PASSES else "vote")
        for told in _measured_by(measure, leader):
            yield told
        chosen = drawing.samples[leader.samples[0]]
        if not plan.closes:
            for event in self._concluded(chosen, shown=False):
                yield event
            return
        for index in range(self._request.n):
            yield ReasoningDelta(f"\n{chosen.text}", index)
        async with aclosing(self._written(asked, chosen.text)) as events:
            async for event in events:
                yield event

    def _may_check(self, drawing: Drawing) -> bool:
        """Whether a second look is asked for, allowed by what is left, and could change anything."""
        plan, standing = self._plan, drawing.standing
        if plan.effort != "xhigh" or plan.kind == "code" or standing.settled or self._spending.late:
            return False
        left = plan.budget.left(self._spending.written)
        return len(standing.candidates) >= LOOKED_AT and (left is None or left >= LOOKED_AT * TOKENS)

    async def _checked(self, drawing: Drawing) -> tuple[Candidate, ...]:
        """The candidates after a second look at the first of them."""
        candidates, right = drawing.standing.candidates, list[float | None]()
        for each in candidates[:LOOKED_AT]:
            run, text = Run(), drawing.samples[each.samples[0]].text
            try:
                right.append(await p_right(self._home, self._prompts, self._plan.question, text, run))
            finally:
                self._spending.add(run)
        return tuple(reweighed(candidates, right))

    # ------------------------------------------------------------ the answer

    def _concluded(
        self, chosen: Growing, *, shown: bool
    ) -> Iterator[TokenScores | ReasoningDelta | TextDelta | Finish]:
        """What a thought or a sample ends on, as the answer.

        Args:
            chosen: The thought or the sample.
            shown: Whether it was shown as it came.
        """
        text = chosen.text
        working, answer = split(text)
        before, after = chosen.cut_at(text.rfind(answer) if working else 0)
        # A mark that the caller didn't ask for is none that a person wants to read.
        answer = answer if any(mark in self._plan.question for mark in _MARKS) else unboxed(answer)
        asked = self._request.top_logprobs is not None
        if working and not shown:
            if asked and before:
                yield TokenScores(before)
            yield ReasoningDelta(f"\n{working}\n")
        if asked and after and not shown:
            yield TokenScores(after)
        if answer:
            yield TextDelta(answer)
        tokens = chosen.sample().tokens
        said = len(after) if chosen.scores else round(tokens * len(answer) / max(len(text), 1))
        yield self._finish(Finish(chosen.finish or "stop"), min(tokens, said))

    async def _written(self, asked: GenerationRequest, thought: str) -> EventStream:
        """The answer as the model writes it once it has its thought before it.

        Args:
            asked: What the thought answered.
            thought: The plan, the thought or the sample; empty where there is none.
        """
        messages = self._request.messages
        if thought.strip():
            messages = (*asked.messages, Message("assistant", thought.strip()), Message("user", self._ask))
        left = self._left
        if left is not None and left <= 0:
            yield self._finish(Finish("length"), 0)
            return
        limits = [each for each in (self._request.max_tokens, left) if each is not None]
        request = replace(
            self._request,
            messages=messages,
            effort=None,
            max_tokens=min(limits, default=None),
            max_total=None,
            reasoning_budget=None,
        )
        run, going = Run(), request.n
        async with aclosing(self._home.stream(request)) as events:
            async for event in events:
                if isinstance(event, TextDelta | ReasoningDelta | TokenScores | Finish):
                    run.take(event)
                if isinstance(event, Finish):
                    going -= 1
                if isinstance(event, Finish) and not going:  # the last, whether it says what it took or not
                    self._spending.add(run)
                    yield self._finish(event, run.tokens)
                else:
                    yield event

    @property
    def _ask(self) -> str:
        """How the model is asked for its answer."""
        if self._request.tools and self._request.tool_choice != "none":
            return self._prompts.act
        return self._prompts.after_plan if self._plan.way == "plan" else self._prompts.after_thought

    @property
    def _left(self) -> int | None:
        total = self._plan.budget.total
        return None if total is None else total - self._spending.written

    def _finish(self, finish: Finish, answer: int) -> Finish:
        """How it ended, with what all of it took and came to."""
        spending, drawing, timings = self._spending, self._drawing, self._spending.timings()
        reasoned = Reasoned(
            effort=self._plan.effort,
            method=self._plan.way,
            tokens=spending.written,
            seconds=round(spending.seconds, 3),
            tokens_per_s=None if timings.tokens_per_s is None else round(timings.tokens_per_s, 1),
            samples=None if drawing is None else drawing.standing.counted,
            most=None if drawing is None else self._plan.rules.samples,
            agreement=None if self._agreement is None else round(self._agreement, 4),
            stopped=None if drawing is None else drawing.stopped,
        )
        return replace(finish, usage=spending.usage(answer), timings=timings, reasoned=reasoned)


def _measured_by(measure: Measure | None, leader: Candidate) -> Iterator[Notice]:
    """What the person should know of how programs fared."""
    if measure is not None and measure.failure is not None:
        yield measure.failure
    elif measure is not None and measure.tests and leader.value != PASSES:
        yield Notice("tests_failed", "no sample passes the tests that the question shows")
