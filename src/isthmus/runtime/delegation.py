"""Stage 4 carried out: the local model asks the hosted one, and goes on with what it said.

    run = delegation.begin(...)                 # one for each question that home answers
    stream = run.stream(home, request)          # the local answer, whatever it took
    run.calls                                   # what left meanwhile, for the ledger's row

Who asked sees the local model's answer, a `Progress` while the hosted model is waited for, a `Notice` that
says what was asked of it, and a `ToolResult`, which programs that didn't offer the tool are not shown. Calls
of the caller's own tools pass through. Where a turn has both, the caller's go first and nothing leaves: the
local model can ask once it has their results.
"""

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from decimal import Decimal
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from isthmus.errors import BudgetExceeded, HandoffRefused, ProviderError
from isthmus.generator import EventStream, Generator
from isthmus.handoff.away.hosted import HostedCall, HostedModel, Outgoing
from isthmus.handoff.conversations.delegate import TOOL, answered, offered, outgoing_request, question_in
from isthmus.ledger import Caps, show_usd
from isthmus.messages import (
    Decision,
    Event,
    Finish,
    GenerationRequest,
    Message,
    Notice,
    Progress,
    ReasoningDelta,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    ToolResult,
    Usage,
)
from isthmus.wire.gathered import Completion

Agreement: TypeAlias = Callable[[Outgoing, Decision], Awaitable[bool]]
"""Shows a person what would leave, and asks."""

_DECISION = Decision("hosted", "delegated", "delegate")
_ALONE = "Answer as well as you can without it."
_SPARE_TURNS = 2
"""Turns of the local model beyond one for each call, for calls that ask nothing; then it gets no tool."""
_SHOWN = 200
"""Characters of a question that a notice quotes."""


class Delegation(Struct, frozen=True):
    """On which terms the local model may ask the hosted one."""

    hosted: HostedModel
    calls: int = 2
    """How often, for one question."""
    usd: Decimal | None = None
    """For how much together, for one question."""

    def begin(
        self,
        question_id: str,
        key: str | None = None,
        key_caps: Caps | None = None,
        agree: Agreement | None = None,
    ) -> "Delegated":
        """What one question may delegate.

        Args:
            question_id: The question's, under which money is put aside.
            key: The API key's name that asked.
            key_caps: What hosted calls with that key may cost.
            agree: Asks the person each time; None: nobody is asked.
        """
        return Delegated(self, question_id, key, key_caps or Caps(), agree)


class Delegated:
    """What one question delegated. ``calls`` are those that were begun."""

    def __init__(
        self,
        terms: Delegation,
        question_id: str,
        key: str | None,
        key_caps: Caps,
        agree: Agreement | None,
    ) -> None:
        self.calls: list[HostedCall] = []
        self._terms = terms
        self._question_id = question_id
        self._key = key
        self._key_caps = key_caps
        self._agree = agree
        self._answers: dict[str, str] = {}  # by question: a worker that fell asks the same again

    @property
    def cost_usd(self) -> Decimal:
        """What the calls cost until now."""
        return sum((call.cost_usd for call in self.calls), Decimal(0))

    @property
    def evidence(self) -> list[dict[str, Any]]:
        """The calls that left, for the ledger: to whom, the exact bytes' digest, what each cost."""
        return [
            {
                "provider": call.outgoing.provider,
                "model": call.outgoing.model,
                "sent_digest": call.outgoing.digest,
                "sent_bytes": len(call.outgoing.body),
                "cost_usd": str(call.cost_usd),
            }
            for call in self.calls
            if call.left
        ]

    async def stream(self, home: Generator, request: GenerationRequest) -> EventStream:
        """The local answer, for which the hosted model may be asked along the way."""
        used, turns = Usage(), self._terms.calls + _SPARE_TURNS
        while True:
            turns -= 1
            turn = _Turn()
            asking = offered(request) if turns > 0 and self._may_ask else request
            async with aclosing(home.stream(asking)) as events:
                async for event in events:
                    if (passed := turn.take(event)) is not None:
                        yield passed
            if turn.finish is None:
                return  # cut: who reads the stream sees that it has no end
            used = _added(used, turn.finish.usage)
            if turn.calls_others or not turn.questions or turns <= 0:
                if turn.questions:
                    yield Notice("delegation_postponed", "a question to the hosted model was not sent")
                yield self._end(turn, turn.finish, used)
                return
            results: dict[str, str] = {}
            for call in turn.questions:
                async for event in self._ask(call, results, home):
                    yield event
            request = answered(request, turn.message, results)

    @property
    def _may_ask(self) -> bool:
        return len(self.calls) < self._terms.calls

    def _end(self, turn: "_Turn", finish: Finish, used: Usage) -> Finish:
        reason = "stop" if turn.questions and not turn.calls_others else finish.reason
        usage = None if finish.usage is None else used
        cost_usd = self.cost_usd if self.calls else finish.cost_usd
        return msgspec.structs.replace(finish, reason=reason, usage=usage, cost_usd=cost_usd)

    async def _ask(self, call: ToolCall, results: dict[str, str], home: Generator) -> EventStream:
        """Answer one of the local model's questions; ``results`` gets what it is told, whatever comes."""
        question = question_in(call)
        if question is None:
            results[call.id] = f"Error: {TOOL} takes a question of its own. {_ALONE}"
            return
        if question in self._answers:
            results[call.id] = self._answers[question]
            return
        try:
            outgoing = await self._prepare(question, home)
        except HandoffRefused as error:
            results[call.id] = f"Error: {error.message}. {_ALONE}"
            yield Notice(error.code, f"not asked: {error.message}", error.hint)
            return
        yield Progress(f"asking {outgoing.provider}", 0)
        try:
            said = await self._send(outgoing)
        except (HandoffRefused, ProviderError) as error:
            results[call.id] = f"Error: {error.message}. {_ALONE}"
            yield Notice(error.code, f"{outgoing.provider} gave no answer: {error.message}", error.hint)
            return
        results[call.id] = self._answers[question] = said
        yield Notice("delegated", f"the local model asked {outgoing.provider}: {_short(question)}")
        yield ToolResult(call.id, said)

    async def _prepare(self, question: str, home: Generator) -> Outgoing:
        """What would leave.

        Raises:
            HandoffRefused: It may not, or the person doesn't agree.
        """
        terms = self._terms
        if not self._may_ask:
            raise HandoffRefused(
                f"the hosted model may be asked {terms.calls} times for one question",
                hint="raise handoff.delegate_calls",
            )
        outgoing = await terms.hosted.prepare_aside(outgoing_request(question), home)
        # A provider that fails after it has worked may have billed, before the next one does.
        at_most = outgoing.at_most_usd
        if terms.usd is not None and self.cost_usd + at_most > terms.usd:
            raise BudgetExceeded(
                f"this could cost {show_usd(at_most)}, and of the {show_usd(terms.usd)} for the "
                f"local model's own questions {show_usd(self.cost_usd)} is spent",
                hint="raise handoff.delegate_usd",
            )
        if self._agree is not None and await self._agree(outgoing, _DECISION) is not True:
            raise HandoffRefused("the person doesn't want it sent")
        return outgoing

    async def _send(self, outgoing: Outgoing) -> str:
        call = self._terms.hosted.call(outgoing, self._question_id, self._key, self._key_caps)
        self.calls.append(call)
        completion = Completion()
        async with aclosing(call.stream()) as events:
            async for event in events:
                completion.add(event)
        return completion.text.strip() or "Error: the hosted model said nothing."


class _Turn:
    """One turn of the local model: what of it is for whoever asked, and what it asks the hosted model."""

    def __init__(self) -> None:
        self.finish: Finish | None = None
        self.calls_others = False
        self._said = Completion()
        self._own: set[int] = set()
        self._places: dict[int, int] = {}  # of the caller's calls, without those of ours between them

    def take(self, event: Event) -> Event | None:
        """Take note of an event; the event as whoever asked gets it, or None."""
        if isinstance(event, TextDelta | ReasoningDelta | ToolCallDelta):
            self._said.add(event)
        match event:
            case ToolCallDelta(position=position):
                if event.name == TOOL:
                    self._own.add(position)
                if position in self._own:
                    return None
                self.calls_others = True
                place = self._places.setdefault(position, len(self._places))
                return msgspec.structs.replace(event, position=place)
            case Finish():
                self.finish = event
                return None
            case _:
                return event

    @property
    def message(self) -> Message:
        """The turn as it stands in the conversation."""
        choice = self._said.choice()
        return Message("assistant", choice.text, choice.reasoning or None, tuple(choice.calls))

    @property
    def questions(self) -> list[ToolCall]:
        """Its calls of our tool."""
        return [call for call in self._said.choice().calls if call.name == TOOL]


def _added(one: Usage, other: Usage | None) -> Usage:
    if other is None:
        return one
    return Usage(*(getattr(one, name) + getattr(other, name) for name in Usage.__struct_fields__))


def _short(question: str) -> str:
    said = " ".join(question.split())
    return said if len(said) <= _SHOWN else f"{said[:_SHOWN]}…"
