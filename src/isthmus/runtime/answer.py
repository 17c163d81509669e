"""The path of one question: the policy's steps are carried out, its answer is shown, its row is written.

This is the thin driver around `isthmus.handoff.policy`: each step is one branch of `_Journey`.
"""

from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from functools import partial
from typing import Any, TypeAlias

import anyio
import msgspec
from msgspec import Struct

from isthmus.errors import HandoffRefused, IsthmusError
from isthmus.generator import EventStream, Generator
from isthmus.handoff.away.hosted import HostedModel, Outgoing
from isthmus.handoff.conversations.conversation import asked_in, needs
from isthmus.handoff.conversations.delegate import can_offer
from isthmus.handoff.judging import LocalAnswer
from isthmus.handoff.policy import conduct, foresee
from isthmus.handoff.rules import Question, Rules, may_delegate
from isthmus.handoff.steps import (
    Consent,
    Deferred,
    Failed,
    Hold,
    Hosted,
    Local,
    Outcome,
    Refuse,
    Sample,
    Step,
)
from isthmus.ledger import Caps, Ledger, Source
from isthmus.messages import Decision, Event, GenerationRequest, HandoffMode, Route, Usage
from isthmus.runtime.deferring import defer
from isthmus.runtime.delegation import Delegated
from isthmus.runtime.held import HeldStream
from isthmus.runtime.observing import Observer
from isthmus.runtime.proving import disproved, proofs_of
from isthmus.runtime.row import Row
from isthmus.runtime.samples import draw
from isthmus.runtime.terms import Terms
from isthmus.runtime.turn import Turn

Consenter: TypeAlias = Callable[[Outgoing, Decision], Awaitable[bool]]
"""Shows a person what would leave, and asks."""


class Ask(Struct, frozen=True):
    """A question on its way: the request, who asks, and under which terms."""

    request: GenerationRequest
    source: Source
    key: str | None = None
    key_caps: Caps = Caps()
    """What hosted calls with that key may cost."""
    handoff: HandoffMode | None = None
    """The mode that the request itself asks for; it counts where it is stricter."""
    careful: bool = False
    """Whether the whole answer may be read before any of it is shown."""
    approved: Decision | None = None
    """The decision to hand over that the person has agreed to by now."""


class Runtime:
    """Answers questions: from home, or from away under the person's terms.

    Args:
        home: The local model.
        terms: What the person has decided, and what carries it out.
        ledger: Where a row is written for each question; None for questions that another process records.
        observer: Who is told of each answer once it has ended.
    """

    def __init__(
        self,
        home: Generator,
        terms: Terms,
        *,
        ledger: Ledger | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.home = home
        self.terms = terms
        self.ledger = ledger
        self.observer = observer

    async def answer(self, ask: Ask, consent: Consenter | None = None) -> EventStream:
        """Yield a `Route`, then the answer. Closing the iterator stops whatever works on it.

        Raises:
            IsthmusError: Nobody can answer, or the answer broke off; what was yielded is then not whole.
        """
        row = Row(ask.request, ask.source, ask.key, self.terms.rules.mode)
        turn = await Turn.begin(self.terms, ask.request)
        journey = _Journey(self, ask, consent, row, turn)
        try:
            shown = await journey.decide()
            for event in shown.opening:
                if (passed := row.pass_on(event)) is not None:
                    yield turn.note(passed)
            async for event in shown.rest:
                if (passed := row.pass_on(event)) is not None:
                    yield turn.note(passed)
            row.complete()
        except IsthmusError as error:
            row.fail(error)
            raise
        finally:
            # Of an answer that is whole, with nothing to be kept, nothing here waits: nothing can stop it.
            with nullcontext() if row.is_complete and turn.is_over else anyio.CancelScope(shield=True):
                await journey.close()
                await turn.close()
                record = row.record(self.home.model.name)
                if self.observer is not None:
                    self.observer.finished(row.answered(record))
                if self.ledger is not None:
                    self.ledger.add(record, row.sent)

    async def close(self) -> None:
        """Free both sides."""
        await self.home.close()
        await self.terms.close()


class _Shown(Struct, frozen=True):
    """Somebody's answer on its way: who gives it and what was held, then the rest as it comes."""

    opening: list[Event]
    rest: EventStream


class _Journey:
    """One question under way: the policy's steps, and the streams that they have opened."""

    def __init__(self, runtime: Runtime, ask: Ask, consent: Consenter | None, row: Row, turn: Turn) -> None:
        self._home = runtime.home
        self._terms = terms = runtime.terms
        self._ask = ask
        self._consent = consent
        self._row = row
        self._turn = turn
        rules = terms.rules
        if ask.handoff is not None:
            rules = msgspec.structs.replace(rules, asked=ask.handoff)
        question = question_of(ask, runtime.home, turn)
        heard = rules.effective == "auto" or consent is not None
        self._delegates = heard and may_delegate(question, rules) and can_offer(ask.request)
        self._judged = rules.effective in ("shadow", "ask", "auto")
        if rules.effective == "shadow":
            row.shadow = partial(_foreseen, question, rules, terms)
        self._steps = conduct(question, rules, terms.estimator)
        self._local: HeldStream | None = None
        self._away: HeldStream | None = None
        self._shown: Outgoing | None = None

    async def decide(self) -> _Shown:
        """Carry out the steps, one by one, until there is an answer to show."""
        result = await self._carry_out(next(self._steps))
        while not isinstance(result, _Shown):
            result = await self._carry_out(self._steps.send(result))
        return result

    async def close(self) -> None:
        """Stop whatever still works on the question."""
        for stream in (self._local, self._away):
            if stream is not None:
                await stream.close()

    async def _carry_out(self, step: Step) -> Outcome | _Shown:
        match step:
            case Hold(tokens):
                local = self._at_home()
                return await self._draft(local) if await local.hold(tokens) else Failed(_why(local))
            case Sample(count):
                return await draw(self._home, self._read_at_home(), count)
            case Local():
                return await self._show(step)
            case Consent(decision):
                return await self._agreed(decision)
            case Hosted(decision):
                return await self._hand_over(decision)
            case Refuse(decision, error):
                self._row.decision = decision
                raise error

    async def _draft(self, local: HeldStream) -> LocalAnswer:
        """What there is of the local answer, held against what the question lets one test of a whole one."""
        draft = local.draft()
        if not draft.whole or not (proofs := proofs_of(self._ask.request)):
            return draft
        failed = await disproved(draft, proofs, self._terms.workshop)
        return draft if failed is None else msgspec.structs.replace(draft, disproved=failed)

    def _at_home(self) -> HeldStream:
        """The local answer's stream, begun on first use."""
        if self._local is None:
            request, delegated = self._read_at_home(), self._delegated()
            # Where tools are offered, log-probabilities would cost the model's own way to call them.
            if self._judged and request.top_logprobs is None and not (request.tools or delegated):
                request = msgspec.structs.replace(request, top_logprobs=self._terms.estimator.top_logprobs)
            # Not by a function that knows this journey: the two would keep each other from being freed.
            if delegated is None:
                self._local = HeldStream(partial(self._home.stream, request))
            else:
                self._local = HeldStream(partial(delegated.stream, self._home, request))
        return self._local

    def _read_at_home(self) -> GenerationRequest:
        """The request as the model at home can read it."""
        return self._turn.at_home(self._ask.request, self._home.model)

    def _delegated(self) -> Delegated | None:
        """What the local model may ask the hosted one while it answers; None where it may not."""
        delegation = self._terms.delegation
        if delegation is None or not self._delegates or not self._home.model.tools:
            return None
        ask, agree = self._ask, self._consent if self._terms.rules.mode == "ask" else None
        if self._row.delegated is None:  # else home begins anew, and what it asked before stays booked
            self._row.delegated = delegation.begin(self._row.id, ask.key, ask.key_caps, agree)
        return self._row.delegated

    async def _show(self, step: Local) -> Failed | _Shown:
        local = self._at_home()
        # Where nothing is shown before the end, a worker that falls in the middle is no loss either.
        if not await (local.hold(None) if self._ask.careful else local.begin()):
            return Failed(_why(local))
        self._row.heard(local.first_after_s)
        held, rest = local.release(joined=self._ask.careful)
        notices = [] if step.notice is None else [step.notice]
        model = self._home.model
        route = Route(step.decision, model.name, fingerprint=model.fingerprint, consent_id=step.consent_id)
        return _Shown([route, *notices, *held], rest)

    async def _agreed(self, decision: Decision) -> Outcome:
        """Whether the person agrees, if anybody can be asked; else the question waits for consent."""
        hosted, pending = self._terms.hosted, self._terms.pending
        if hosted is None:
            return None
        try:
            outgoing = await self._prepared(hosted)
        except HandoffRefused as error:
            return Failed(error)
        if self._consent is not None:
            self._shown = outgoing
            return await self._consent(outgoing, decision)
        if pending is None:
            return None
        ask = self._ask
        consent_id = await defer(
            pending,
            request=ask.request,
            source=ask.source,
            key=ask.key,
            question_id=self._row.id,
            decision=decision,
            outgoing=outgoing,
            local_model=self._home.model.name,
        )
        return None if consent_id is None else Deferred(consent_id)

    async def _prepared(self, hosted: HostedModel) -> Outgoing:
        """What would leave. Where home has to look for names first, it does nothing else meanwhile."""
        local = self._local
        if hosted.asks_home and local is not None and not local.whole:
            self._local = None
            await local.close()
        return await hosted.prepare_aside(self._ask.request, self._home)

    async def _hand_over(self, decision: Decision) -> Failed | _Shown:
        hosted = self._terms.hosted
        if hosted is None:
            raise HandoffRefused("no provider is configured", hint="isthmus handoff setup")
        try:
            # What a person has agreed to is what leaves, to the byte.
            outgoing = self._shown or await self._prepared(hosted)
        except HandoffRefused as error:
            return Failed(error)
        call = hosted.call(outgoing, self._row.id, self._ask.key, self._ask.key_caps)
        self._row.call = call
        self._away = away = HeldStream(partial(call.stream, whole=self._ask.careful))
        # Where nothing is shown before the end, an answer that breaks off is still no loss.
        if not await (away.hold(None) if self._ask.careful else away.begin()):
            return Failed(_why(away))
        # Only now: until the hosted model speaks, the local answer goes on, in case it is needed after all.
        if self._local is not None:
            await self._local.close()
        held, rest = away.release(joined=self._ask.careful)
        # Not what was prepared: the first may have failed, and another has answered.
        answering = call.outgoing
        return _Shown([Route(decision, answering.model, answering.provider), *held], rest)


def question_of(ask: Ask, home: Generator, turn: Turn) -> Question:
    """What the policy needs to know."""
    return Question(
        text=asked_in(ask.request.messages),
        careful=ask.careful,
        lacks=needs(ask.request, home.model),
        several=ask.request.n > 1,
        raw=ask.request.raw is not None,
        grammar=ask.request.grammar is not None,
        home_only=turn.home_only,
        switching=turn.switching,
        approved=ask.approved,
        hints=ask.source in ("ask", "chat"),
    )


def _foreseen(
    question: Question, rules: Rules, terms: Terms, answer: LocalAnswer, usage: Usage
) -> dict[str, Any]:
    """What mode auto would have done with a question that home answered, and for how much."""
    decision = foresee(question, rules, terms.estimator, answer)
    foreseen: dict[str, Any] = {"target": decision.target, "reason": decision.reason, "stage": decision.stage}
    if decision.evidence.score is not None:
        foreseen["score"] = decision.evidence.score
    if decision.target == "hosted" and terms.hosted is not None:
        foreseen["cost_usd"] = str(terms.hosted.cost_of(usage))
    return foreseen


def _why(stream: HeldStream) -> IsthmusError:
    return stream.error or IsthmusError("the model ended without an answer")
