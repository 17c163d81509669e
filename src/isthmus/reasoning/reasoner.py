"""Effort for models that weren't trained to think: a `Generator` around the one at home.

    none, minimal    home's own stream, untouched
    low, medium      a pass for the plan or the thought, and what it ends on or a second pass for the answer
    high, xhigh      samples, drawn and voted on, and the one that stands for most of them

A model that thinks by itself gets its effort as it is: `isthmus.reasoning.thinking` sees to that.
"""

from isthmus.generator import EventStream, Generator
from isthmus.messages import Event, GenerationRequest, ModelInfo, Notice
from isthmus.reasoning.effort import PLAIN, plan_of
from isthmus.reasoning.families import family_of
from isthmus.reasoning.prompts import PROMPTS, Prompts
from isthmus.reasoning.vote import VoteRules
from isthmus.reasoning.working import Working
from isthmus.reasoning.workshop import Workshop
from isthmus.settings import ReasoningSettings

_USUAL = ReasoningSettings()


class Reasoner:
    """A `Generator` that gives effort to a model without thinking of its own.

    Args:
        home: The model.
        settings: What effort may cost.
        prompts: What the model is told.
        rules: How samples are drawn and counted, in place of the settings'.
        batched: Whether the model writes several answers to one request; else they are drawn one by one.
        workshop: Where programs run that the model wrote; None where none may be.
    """

    def __init__(
        self,
        home: Generator,
        settings: ReasoningSettings = _USUAL,
        *,
        prompts: Prompts = PROMPTS,
        rules: VoteRules | None = None,
        batched: bool = True,
        workshop: Workshop | None = None,
    ) -> None:
        self._home = home
        self._settings = settings
        self._prompts = prompts
        self._rules = rules
        self._batched = batched
        self._workshop = workshop

    @property
    def model(self) -> ModelInfo:
        """What is known of the model."""
        return self._home.model

    def stream(self, request: GenerationRequest) -> EventStream:
        """Yield the answer, after as much work as its effort asks for.

        Raises:
            IsthmusError: As the model's own.
        """
        if request.effort in PLAIN or family_of(self._home.model) is not None:
            return self._home.stream(request)
        plan = plan_of(request, self._settings, self._rules, batched=self._batched)
        if plan is None:
            return self._home.stream(request)
        if isinstance(plan, Notice):
            return _after(plan, self._home.stream(request))
        return Working(self._home, request, plan, self._prompts, self._workshop).stream()

    async def close(self) -> None:
        """Free what the model holds."""
        await self._home.close()


async def _after(first: Event, events: EventStream) -> EventStream:
    try:
        yield first
        async for event in events:
            yield event
    finally:
        await events.aclose()
