"""What an effort comes to for a model that doesn't think by itself: one plan for each request.

    none, minimal   the plain answer
    low             a brief plan, then the answer that follows it
    medium          one train of thought, then the answer
    high            up to ``reasoning.samples`` of them, and a vote
    xhigh           up to twice as many, half of them programs where a number is wanted, and a second look at
                    the leaders where the vote stays open

Whatever a request holds that a vote can't be had with lowers the effort to medium, and a notice says so.
"""

from typing import Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from isthmus.messages import Effort, GenerationRequest, Message, Notice, TextPart
from isthmus.reasoning.kinds import Kind, kind_of
from isthmus.reasoning.vote import VoteRules
from isthmus.settings import ReasoningSettings

Way: TypeAlias = Literal["plan", "think", "vote"]

PLAIN: frozenset[Effort | None] = frozenset({None, "none", "minimal"})
"""Efforts for which the plain answer is what is asked for."""

_PLAN_TOKENS = 128
_LEAST_SAMPLE = 256
"""Tokens below which a sample is hardly ever whole; rather fewer samples than shorter ones."""
_LEAST_ANSWER = 32
_MOST_ANSWER = 512
"""Tokens that are kept for an answer that is written after the thought: a quarter of all, within these."""


class Budget(Struct, frozen=True):
    """What may be spent.

    Attributes:
        each: Tokens of a plan, a train of thought or a sample.
        total: Tokens of all that is written together; None: no bound but the others.
        answer: Tokens of those that are kept for the answer.
        seconds: Of thinking; None: as long as it takes.
    """

    each: int
    total: int | None = None
    answer: int = 0
    seconds: float | None = None

    def left(self, spent: int) -> int | None:
        """How many tokens of thinking are left once ``spent`` are; None: no bound."""
        return None if self.total is None else max(0, self.total - self.answer - spent)


class Plan(Struct, frozen=True):
    """How one request is answered.

    Attributes:
        way: Whether a plan is made, a thought is had, or several are and then voted on.
        effort: The one that was asked for.
        kind: What the question wants.
        question: What is asked, as text.
        rules: Of the vote.
        budget: What it may cost.
        closes: Whether the answer must be written after the thought, because it has a form, tools, several
            choices or an end of its own; else it may be what the thought ends on.
        notice: What the person should know of it.
    """

    way: Way
    effort: Effort
    kind: Kind
    question: str
    rules: VoteRules
    budget: Budget
    closes: bool = False
    notice: Notice | None = None

    @property
    def statement(self) -> str:
        """What may be spent, in words."""
        budget = self.budget
        match self.way:
            case "plan":
                words = f"a plan of up to {budget.each:,} tokens"
            case "think":
                words = f"up to {budget.each:,} tokens of thought"
            case "vote":
                words = f"up to {self.rules.samples} samples of {budget.each:,} tokens"
        return words if budget.seconds is None else f"{words}, within {budget.seconds:g} s"


def plan_of(
    request: GenerationRequest,
    settings: ReasoningSettings,
    rules: VoteRules | None = None,
    *,
    batched: bool = True,
) -> Plan | Notice | None:
    """How a request is answered; None: plainly; a notice: plainly, although effort was asked for.

    Args:
        request: The request.
        settings: What the person has decided.
        rules: Of votes, in place of the settings'.
        batched: Whether several samples are written side by side; else each is a wave of its own.
    """
    effort = request.effort
    if effort is None or effort in PLAIN:
        return None
    if request.raw is not None:
        return _ignored("a prompt without a conversation is continued as it stands")
    if request.continues or not request.messages or request.messages[-1].role == "assistant":
        return _ignored("an answer that has begun is continued as it stands")
    if request.messages[-1].role == "tool":
        return None  # the thought was had when the question came; now its tools are at work
    way: Way = "plan" if effort == "low" else "think" if effort == "medium" else "vote"
    notice = None
    if way == "vote" and (why := _no_vote(request)) is not None:
        way, notice = "think", Notice("effort_lowered", f"one train of thought, and no vote: {why}")
    question = asked(request)
    kind = kind_of(question)
    counted = rules or _rules(settings, effort, kind)
    counted = counted if batched else replace(counted, wave=1)
    budget = _budget(request, settings, way, counted)
    if way == "vote":
        counted, fitting = _fitted(counted, budget)
        if fitting < 2:
            way = "think"
            notice = Notice(
                "effort_lowered",
                f"one train of thought, and no vote: {budget.total:,} tokens have no room for two",
                hint="raise max_completion_tokens",
            )
    return Plan(
        way=way,
        effort=effort,
        kind=kind,
        question=question,
        rules=counted,
        budget=budget,
        closes=_closes(request),
        notice=notice,
    )


def asked(request: GenerationRequest) -> str:
    """What the person asks: their last message."""
    said = (message.text for message in reversed(request.messages) if message.role == "user")
    return next(said, "")


def instructed(request: GenerationRequest, words: str) -> GenerationRequest:
    """The request with an instruction behind the last message of the person who asks."""
    last = request.messages[-1]
    if last.role != "user":
        return replace(request, messages=(*request.messages, Message("user", words)))
    said = last.content
    content = f"{said}\n\n{words}" if isinstance(said, str) else (*said, TextPart(f"\n\n{words}"))
    return replace(request, messages=(*request.messages[:-1], replace(last, content=content)))


def thinking_request(request: GenerationRequest, max_tokens: int) -> GenerationRequest:
    """The request for what comes before the answer: free of form, tools and ends that are the answer's."""
    return replace(
        request,
        effort=None,
        max_tokens=max_tokens,
        max_total=None,
        reasoning_budget=None,
        n=1,
        stop=(),
        tools=(),
        tool_choice=None,
        parallel_tool_calls=None,
        response_format=None,
        grammar=None,
        ignore_eos=False,
    )


def _ignored(why: str) -> Notice:
    return Notice("effort_ignored", f"effort makes no difference here: {why}")


def _no_vote(request: GenerationRequest) -> str | None:
    """Why an answer can't be chosen by vote, where it can't."""
    if request.tools and request.tool_choice != "none":
        return "tools are offered, and calls are not voted on"
    return "several answers were asked for" if request.n > 1 else None


def _closes(request: GenerationRequest) -> bool:
    form = request.response_format is not None or request.grammar is not None
    return bool(form or request.tools or request.n > 1 or request.stop or request.ignore_eos)


def _rules(settings: ReasoningSettings, effort: Effort, kind: Kind) -> VoteRules:
    """Of a vote; at xhigh the second half of the samples of a number are programs, where those may be run."""
    twice = effort == "xhigh"
    return VoteRules(
        samples=settings.samples * (2 if twice else 1),
        wave=min(settings.wave, settings.samples),
        programs=settings.samples if twice and kind == "number" and settings.python else 0,
        confidence=settings.confidence,
    )


def _budget(request: GenerationRequest, settings: ReasoningSettings, way: Way, rules: VoteRules) -> Budget:
    total, thought = request.max_total, request.reasoning_budget
    answer = 0
    # A vote's answer is one of its samples, unless it must be written in a form of its own.
    if total is not None and (way != "vote" or _closes(request)):
        answer = max(min(total // 4, _MOST_ANSWER), min(_LEAST_ANSWER, total // 2))
    if thought is not None:
        total = thought + answer if total is None else min(total, thought + answer)
    each = _PLAN_TOKENS if way == "plan" else request.max_tokens or settings.sample_tokens
    if total is not None:
        room = max(1, total - answer)
        share = max(_LEAST_SAMPLE, room // rules.samples) if way == "vote" else room
        each = min(each, share, room)
    return Budget(each, total, answer, settings.time_limit_s or None)


def _fitted(rules: VoteRules, budget: Budget) -> tuple[VoteRules, int]:
    """The rules with no more samples than there are tokens for, and how many that is."""
    left = budget.left(0)
    fitting = rules.samples if left is None else min(rules.samples, left // budget.each)
    samples = max(fitting, 1)
    programs = min(rules.programs, samples // 2)
    return replace(rules, samples=samples, wave=min(rules.wave, samples), programs=programs), fitting
