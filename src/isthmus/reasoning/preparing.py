"""A request as a model that thinks is to have it: its effort, its budget, its thoughts of before."""

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from isthmus.messages import GenerationRequest, Message, ModelInfo, Notice, Progress, with_system
from isthmus.reasoning.budget import CLOSING, budget_for, limit_of
from isthmus.reasoning.families import Family, Replay, Sampling

_UNSAID = Sampling()


class Prepared(Struct, frozen=True):
    """A request that is ready, the tokens that its thought may have, and what the person is told of it."""

    request: GenerationRequest
    budget: int | None = None
    notice: Notice | None = None

    @property
    def opening(self) -> Iterator[Notice | Progress]:
        """What is said before the model says anything."""
        if self.notice is not None:
            yield self.notice
        if self.budget and self.request.effort not in (None, "none"):
            yield Progress(f"thinking, {self.budget:,} tokens at most", 0, self.budget)


def prepare(family: Family, request: GenerationRequest, model: ModelInfo) -> Prepared:
    """Put effort, budget and sampling as a family of models understands them.

    Args:
        family: The model's.
        request: As it was asked.
        model: The model.
    """
    asked = "none" if request.reasoning_budget == 0 and "none" in family.efforts else request.effort
    effort = None if asked is None else family.nearest(asked)
    if effort != request.effort:
        request = replace(request, effort=effort)
    budget = budget_for(family, request, model)
    arguments = {} if effort is None else family.efforts[effort]
    if family.budget_argument is not None and budget is not None and effort != "none":
        arguments = arguments | {family.budget_argument: budget}
    messages = replayed(request.messages, family.replay)
    if family.words is not None and effort is not None:
        words = family.words.none if effort == "none" else family.words.some
        messages = with_system(messages, words)
    request = replace(
        request,
        messages=messages,
        max_tokens=limit_of(request),
        template=arguments | (request.template or {}) or None,
        # llama.cpp takes a budget of none for one that has been used up before the prompt's own last mark.
        reasoning_budget=None if budget is None else max(budget, 1),
        reasoning_closing=None if budget is None else f"\n\n{CLOSING}\n",
    )
    return Prepared(_sampled(request, family), budget, _notice(family, asked, effort))


def replayed(messages: tuple[Message, ...], replay: Replay) -> tuple[Message, ...]:
    """The conversation with those thoughts of before that a model is shown again."""
    if replay == "always" or not any(message.reasoning for message in messages):
        return messages
    last = max((place for place, each in enumerate(messages) if each.role == "user"), default=-1)
    return tuple(
        replace(each, reasoning=None) if each.reasoning and (replay == "never" or place < last) else each
        for place, each in enumerate(messages)
    )


def _sampled(request: GenerationRequest, family: Family) -> GenerationRequest:
    """As the model's makers recommend, where the request says nothing of it."""
    chosen = (request.temperature, request.top_p, request.top_k, request.min_p)
    wanted = family.sampling
    if wanted == _UNSAID or request.effort == "none" or any(each is not None for each in chosen):
        return request
    return replace(
        request,
        temperature=wanted.temperature,
        top_p=wanted.top_p,
        top_k=wanted.top_k,
        min_p=wanted.min_p,
    )


def _notice(family: Family, asked: str | None, effort: str | None) -> Notice | None:
    if asked == effort:
        return None
    known = ", ".join(family.efforts)
    return Notice(
        "effort_nearest", f"{family.title} knows no reasoning effort {asked} (but {known}): {effort} is used"
    )
