"""Running both models over the person's own prompts, and grading them: rows that a profile is learnt from.

The hosted side is asked as any question is: under the hard switches, redacted, reserved and settled, with a
row in the ledger. Only the mode is "always" for as long as it takes, because whoever starts it says so, and
says how much it may cost.
"""

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from isthmus.configuration import Configuration
from isthmus.errors import BudgetExceeded, HandoffRefused
from isthmus.generator import EventStream
from isthmus.messages import Event, GenerationRequest, Message
from isthmus.runtime.answer import Ask, Runtime
from isthmus.runtime.held import answer_in
from isthmus.runtime.samples import draw
from isthmus.scoring import Grading, comes_to, grade
from isthmus.wire.gathered import Completion

RIVALS = 5
"""Likeliest tokens that are asked for beside each: entropies are taken over them and the rest."""


class Prompt(Struct, frozen=True):
    """A question, what it should come to, and how that is seen."""

    text: str
    answer: str
    grading: Grading = "exact"


class Collected(Struct, frozen=True):
    """Both answers to a prompt, graded. Its fields are the columns of a calibration file."""

    prompt: str
    answer: str
    weak_correct: bool
    strong_correct: bool
    weak_response: str
    strong_response: str
    logprobs: tuple[float, ...]
    entropy: tuple[float, ...]
    finish: str | None
    samples: tuple[str, ...]
    weak_model: str
    strong_model: str
    cost_usd: Decimal


def for_collecting(configuration: Configuration) -> Configuration:
    """The settings under which both models are run: as they are, but for the mode."""
    settings = configuration.settings
    handoff = msgspec.structs.replace(settings.handoff, mode="always")
    return msgspec.structs.replace(configuration, settings=msgspec.structs.replace(settings, handoff=handoff))


async def collect(
    prompts: Iterable[Prompt], runtime: Runtime, budget_usd: Decimal, **limits: Any
) -> AsyncGenerator[Collected, None]:
    """Yield a graded row for each prompt, one by one, as long as the next is sure to fit the budget.

    Args:
        prompts: The questions.
        runtime: Both models, in mode "always".
        budget_usd: What all hosted calls together may cost.
        limits: Of the requests: ``max_tokens``, ``temperature``.

    Raises:
        BudgetExceeded: The next call might not fit; what was yielded stays good.
        HandoffRefused: A rule keeps the question home, so that the hosted side can't be seen.
        IsthmusError: Either model failed.
    """
    spent = Decimal(0)
    for prompt in prompts:
        request = GenerationRequest((Message("user", prompt.text),), **limits)
        at_most = await _at_most(runtime, request)
        if spent + at_most > budget_usd:
            raise BudgetExceeded(
                f"${spent:.4f} of ${budget_usd} are spent, and the next call may cost ${at_most:.4f}",
                hint="run it again with a larger --budget-usd: it goes on where it stopped",
            )
        home = await _events(runtime.home.stream(msgspec.structs.replace(request, top_logprobs=RIVALS)))
        local = answer_in(home, whole=True)
        count = runtime.terms.rules.samples if comes_to(local.text) is not None else 0
        samples = (await draw(runtime.home, request, count)).texts if count else ()
        hosted = Completion()
        for event in await _events(runtime.answer(Ask(request, "ask"))):
            hosted.add(event)
        cost = (hosted.last.cost_usd if hosted.last else None) or Decimal(0)
        spent += cost
        route = hosted.route
        if route is None or route.decision.target != "hosted":
            why = route.decision.reason.replace("_", " ") if route else "nobody answered"
            raise HandoffRefused(
                f"the hosted model didn't answer: {why}", hint="isthmus handoff check PROVIDER"
            )
        yield Collected(
            prompt=prompt.text,
            answer=prompt.answer,
            weak_correct=grade(local.text, prompt.answer, prompt.grading),
            strong_correct=grade(hosted.text, prompt.answer, prompt.grading),
            weak_response=local.text,
            strong_response=hosted.text,
            logprobs=tuple(round(each, 4) for each in local.logprobs),
            entropy=tuple(round(each, 4) for each in local.entropies),
            finish=local.finish_reason,
            samples=samples,
            weak_model=runtime.home.model.name,
            strong_model=route.model,
            cost_usd=cost,
        )


async def _at_most(runtime: Runtime, request: GenerationRequest) -> Decimal:
    hosted = runtime.terms.hosted
    if hosted is None:
        raise HandoffRefused("no provider may be asked", hint="isthmus handoff setup")
    return (await hosted.prepare_aside(request, runtime.home)).at_most_usd


async def _events(stream: EventStream) -> list[Event]:
    async with aclosing(stream):
        return [event async for event in stream]
