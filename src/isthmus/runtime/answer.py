"""The path of one question: the policy's steps are carried out, its answer is shown, its row is written.

This is the thin driver around `isthmus.handoff.policy`: each step is one branch of `_Journey`.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias

import anyio
import msgspec
from msgspec import Struct

from isthmus.errors import HandoffRefused, IsthmusError
from isthmus.generator import EventStream, Generator
from isthmus.handoff.hosted import HostedModel, Outgoing
from isthmus.handoff.policy import (
    Consent,
    Failed,
    Hold,
    Hosted,
    Local,
    Outcome,
    Question,
    Refuse,
    Rules,
    Step,
    conduct,
)
from isthmus.ledger import Caps, Ledger, Source
from isthmus.messages import Decision, Event, GenerationRequest, HandoffMode, Route
from isthmus.runtime.held import HeldStream
from isthmus.runtime.observing import Observer
from isthmus.runtime.row import Row

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
    """Whether the whole local answer may be judged before any of it is shown."""


class Runtime:
    """Answers questions: from home, or from away under the rules.

    Args:
        home: The local model.
        rules: What the person has decided.
        hosted: The hosted model, where one is configured.
        ledger: Where a row is written for each question; None for questions that another process records.
        observer: Who is told of each answer once it has ended.
    """

    def __init__(
        self,
        home: Generator,
        rules: Rules,
        *,
        hosted: HostedModel | None = None,
        ledger: Ledger | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.home = home
        self.rules = rules
        self.hosted = hosted
        self.ledger = ledger
        self.observer = observer

    async def answer(self, ask: Ask, consent: Consenter | None = None) -> EventStream:
        """Yield a `Route`, then the answer. Closing the iterator stops whatever works on it.

        Raises:
            IsthmusError: Nobody can answer, or the answer broke off; what was yielded is then not whole.
        """
        row = Row(ask.request, ask.source, ask.key, self.rules.mode)
        journey = _Journey(self, ask, consent, row)
        try:
            shown = await journey.decide()
            for event in shown.opening:
                if (passed := row.pass_on(event)) is not None:
                    yield passed
            async for event in shown.rest:
                if (passed := row.pass_on(event)) is not None:
                    yield passed
            row.complete()
        except IsthmusError as error:
            row.fail(error)
            raise
        finally:
            with anyio.CancelScope(shield=True):
                await journey.close()
                record = row.record(self.home.model.name)
                if self.observer is not None:
                    self.observer.finished(row.answered(record))
                if self.ledger is not None:
                    self.ledger.add(record)

    async def close(self) -> None:
        """Free both models."""
        await self.home.close()
        if self.hosted is not None:
            await self.hosted.close()


class _Shown(Struct, frozen=True):
    """Somebody's answer on its way: who gives it and what was held, then the rest as it comes."""

    opening: list[Event]
    rest: EventStream


class _Journey:
    """One question under way: the policy's steps, and the streams that they have opened."""

    def __init__(self, runtime: Runtime, ask: Ask, consent: Consenter | None, row: Row) -> None:
        self._home = runtime.home
        self._hosted = runtime.hosted
        self._ask = ask
        self._consent = consent
        self._row = row
        rules = msgspec.structs.replace(runtime.rules, asked=ask.handoff)
        self._judged = rules.effective in ("ask", "auto")
        self._steps = conduct(_question(ask, runtime.home), rules)
        self._local: HeldStream | None = None
        self._away: HeldStream | None = None

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
                return local.draft() if await local.hold(tokens) else Failed(_why(local))
            case Local(decision, notice):
                local = self._at_home()
                if not await local.begin():
                    return Failed(_why(local))
                held, rest = local.release()
                notices = [] if notice is None else [notice]
                model = self._home.model
                route = Route(decision, model.name, fingerprint=model.fingerprint)
                return _Shown([route, *notices, *held], rest)
            case Consent(decision):
                return await self._agreed(decision)
            case Hosted(decision):
                return await self._hand_over(decision)
            case Refuse(decision, error):
                self._row.decision = decision
                raise error

    def _at_home(self) -> HeldStream:
        """The local answer's stream, begun on first use."""
        if self._local is None:
            request = self._ask.request
            # Where tools are offered, log-probabilities would cost the model's own way to call them.
            if self._judged and request.top_logprobs is None and not request.tools:
                request = msgspec.structs.replace(request, top_logprobs=0)
            # Not by a function that knows this journey: the two would keep each other from being freed.
            self._local = HeldStream(partial(self._home.stream, request))
        return self._local

    async def _agreed(self, decision: Decision) -> bool | None:
        if self._consent is None or self._hosted is None:
            return None
        return await self._consent(self._hosted.prepare(self._ask.request), decision)

    async def _hand_over(self, decision: Decision) -> Failed | _Shown:
        if self._hosted is None:
            raise HandoffRefused("no provider is configured", hint="set handoff.provider in isthmus.toml")
        try:
            outgoing = self._hosted.prepare(self._ask.request)
        except HandoffRefused as error:
            return Failed(error)
        call = self._hosted.call(outgoing, self._row.id, self._ask.key, self._ask.key_caps)
        self._row.call = call
        self._away = HeldStream(call.stream)
        if not await self._away.begin():
            return Failed(_why(self._away))
        # Only now: until the hosted model speaks, the local answer goes on, in case it is needed after all.
        if self._local is not None:
            await self._local.close()
        held, rest = self._away.release()
        return _Shown([Route(decision, outgoing.model, outgoing.provider), *held], rest)


def _question(ask: Ask, home: Generator) -> Question:
    """What the policy needs to know."""
    messages, model = ask.request.messages, home.model
    said = [message.text for message in messages if message.role == "user"]
    lacks = None
    if not model.vision and any(message.images for message in messages):
        lacks = "vision"
    elif not model.tools and ask.request.tools:
        lacks = "tools"
    return Question(
        text=said[-1] if said else "",
        careful=ask.careful,
        lacks=lacks,
        several=ask.request.n > 1,
        raw=ask.request.raw is not None,
        grammar=ask.request.grammar is not None,
    )


def _why(stream: HeldStream) -> IsthmusError:
    return stream.error or IsthmusError("the model ended without an answer")
