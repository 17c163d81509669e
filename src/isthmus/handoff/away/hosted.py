"""The hosted side: what would leave, the money put aside for it, the answer, the bill.

outgoing = hosted.prepare(request)      # redacted; the exact bytes, and what they cost at worst
hosted.call(outgoing, ...).stream()     # reserve -> send -> restore -> settle, and the next one if that fails

Providers stand in an order. Where one fails before anything was shown, it is asked again or the next one is,
within the deadline; each attempt reserves and settles by itself, and all of them together stay under the cap
of one question.
"""

import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from decimal import Decimal
from typing import Self

import anyio
import anyio.to_thread
import msgspec

from isthmus.errors import (
    HandoffRefused,
    IsthmusError,
    ProviderCut,
    ProviderFailed,
    ProviderTimeout,
    RequestError,
)
from isthmus.generator import EventStream, Generator
from isthmus.handoff.away.attempt import Attempt, Side, open_side
from isthmus.handoff.away.attempts import Attempts
from isthmus.handoff.away.breaker import Breaker, Health, Monotonic
from isthmus.handoff.away.outgoing import Outgoing
from isthmus.handoff.away.pricing import per_million, worst_case, worst_case_tokens
from isthmus.handoff.conversations.translation import for_hosted
from isthmus.handoff.marking.marks import flagged
from isthmus.handoff.redaction import Known, ModelReader, Redacted, Redactor
from isthmus.ledger import Caps, Ledger, ReservationRequest
from isthmus.messages import Event, Finish, GenerationRequest, Notice, Usage
from isthmus.settings import HandoffSettings, ProviderSettings, Secret

__all__ = ["HostedCall", "HostedModel", "Outgoing"]

_LIFETIME_S = 3600.0
"""A reservation older than this was left by a crash."""
_UNCAPPED = Caps()
_LONG = 10_000
"""Characters from which on reading a text for what may not leave takes milliseconds."""


class HostedModel:
    """The hosted models that questions are handed to, in their order, within the budget.

    Args:
        sides: The providers; at least one.
        settings: The caps, the longest answer, the deadline and the retries.
        ledger: Where money is put aside and what was spent is written.
        redactor: What takes out of a question what may not leave.
        now: The clock of deadlines and waits.
        sleep: Waits so many seconds of that clock.
        chance: Numbers from 0 to 1, by which waits differ.
    """

    def __init__(
        self,
        sides: Sequence[Side],
        settings: HandoffSettings,
        ledger: Ledger,
        *,
        redactor: Redactor | None = None,
        now: Monotonic = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.sides = {side.name: side for side in sides}
        self.settings = settings
        self.ledger = ledger
        self.now = now
        self.sleep = sleep
        self.chance = chance
        self.redactor = redactor
        self.reader = ModelReader(settings.deadline_s)

    @classmethod
    def of(
        cls,
        name: str,
        provider: ProviderSettings,
        settings: HandoffSettings,
        ledger: Ledger,
        key: Secret | None = None,
    ) -> Self:
        """One provider of which the address is known."""
        breaker = Breaker(settings.breaker_failures, settings.breaker_rest_s)
        return cls([open_side(name, provider, breaker, key)], settings, ledger)

    @property
    def health(self) -> dict[str, Health]:
        """How each provider does, by name."""
        return {name: side.breaker.health for name, side in self.sides.items()}

    @property
    def asks_home(self) -> bool:
        """Whether the model at home has to read what would leave before it may."""
        return self.redactor is not None and self.redactor.asks_home

    def prepare(self, request: GenerationRequest, known: Sequence[Known] | None = None) -> Outgoing:
        """Render what would leave, first to whom it would. Nothing leaves yet.

        Args:
            request: What was asked.
            known: What the model at home has found in it, where it `asks_home`.

        Raises:
            HandoffRefused: It is a raw prompt, has a grammar, or is marked: the policy keeps these home. Or
                it can't be redacted, or no provider takes it.
            PriceUnknown: The cost can't be bounded.
        """
        bounded = self._bounded(request)
        redaction = self.redactor.redact(bounded, known) if self.redactor else None
        prepared: list[Outgoing] = []
        refusals: list[HandoffRefused] = []
        for side in sorted(self.sides.values(), key=lambda side: not side.breaker.admits):
            try:
                prepared.append(_outgoing(side, bounded, redaction))
            except HandoffRefused as error:
                refusals.append(error)
            except RequestError as error:
                refusals.append(HandoffRefused(error.message, hint=error.hint))
        if not prepared:
            raise refusals[0]
        first, *others = prepared
        return msgspec.structs.replace(first, alternatives=tuple(others))

    async def prepare_aside(self, request: GenerationRequest, home: Generator | None = None) -> Outgoing:
        """As `prepare`; a long text is read in a thread, so that nobody else waits for it.

        Args:
            request: What was asked.
            home: Who looks for names in it, where it `asks_home`.

        Raises:
            HandoffRefused: As `prepare`, or the model at home couldn't read it.
        """
        known = await self._known(request, home)
        if sum(len(message.text) for message in request.messages) < _LONG:
            return self.prepare(request, known)
        return await anyio.to_thread.run_sync(self.prepare, request, known)

    async def _known(self, request: GenerationRequest, home: Generator | None) -> Sequence[Known] | None:
        """What the model at home finds in what would leave; None where it isn't asked."""
        if self.redactor is None or not self.redactor.asks_home:
            return None
        return await self.reader.known(home, self.redactor.texts(self._bounded(request)))

    def _bounded(self, request: GenerationRequest) -> GenerationRequest:
        """The request as a hosted model can read it, its answer no longer than the settings let it be."""
        if request.raw is not None:
            raise HandoffRefused("a raw prompt stays home: hosted models take conversations")
        if request.grammar is not None:
            raise HandoffRefused("a question with a grammar stays home: hosted models keep to none")
        if (mark := flagged(request)) is not None:
            raise HandoffRefused(f"it is marked to stay home: {mark}")
        limit = self.settings.max_output_tokens
        return msgspec.structs.replace(
            for_hosted(request), max_tokens=min(request.max_tokens or limit, limit)
        )

    def call(
        self, outgoing: Outgoing, question_id: str, key: str | None = None, key_caps: Caps = _UNCAPPED
    ) -> "HostedCall":
        """A call that is ready to leave, for the API key of that name, which may have caps of its own."""
        return HostedCall(self, outgoing, question_id, key, key_caps)

    def cost_of(self, usage: Usage) -> Decimal:
        """What an answer of so many tokens costs, in dollars, at the first provider.

        Raises:
            PriceUnknown: Nobody knows.
        """
        return self._first.price(usage)

    def switching_price(self) -> tuple[Decimal, Decimal]:
        """Dollars for a million prompt tokens at the first provider: new ones, and cached ones.

        Raises:
            PriceUnknown: Nobody knows.
        """
        price = self._first.price
        return per_million(price), per_million(price, cached=True)

    async def close(self) -> None:
        """Give the connections back."""
        for side in self.sides.values():
            await side.provider.close()

    @property
    def _first(self) -> Side:
        return next(iter(self.sides.values()))


def _outgoing(side: Side, request: GenerationRequest, redaction: Redacted | None) -> Outgoing:
    """What would leave for one provider; the request's length is bounded."""
    what = redaction.request if redaction else request
    rendered = side.provider.render(what)
    images = sum(message.images for message in what.messages)
    prompt_tokens = worst_case_tokens(rendered.body, images)
    return Outgoing(
        provider=side.name,
        host=side.settings.host,
        model=side.provider.model.name,
        body=rendered.body,
        choices=what.n,
        worst_usd=worst_case(side.price, prompt_tokens, (what.max_tokens or 0) * what.n),
        redacted=redaction.counts if redaction else {},
        left_out=rendered.left_out,
        redaction=redaction,
    )


class HostedCall:
    """One question on its way out, through as many attempts as it takes.

    Attributes:
        outgoing: What is on its way, or was last: a later attempt's, where the first failed.
        attempts: All attempts so far.
    """

    def __init__(
        self, hosted: HostedModel, outgoing: Outgoing, question_id: str, key: str | None, key_caps: Caps
    ) -> None:
        self._hosted = hosted
        self._line = (outgoing, *outgoing.alternatives)
        self._question_id = question_id
        self._key = key
        self._key_caps = key_caps
        self.outgoing = outgoing
        self.attempts: list[Attempt] = []

    @property
    def left(self) -> bool:
        """Whether bytes left this machine."""
        return any(attempt.left for attempt in self.attempts)

    @property
    def cost_usd(self) -> Decimal:
        """What is booked for all attempts."""
        return sum((attempt.cost_usd for attempt in self.attempts), Decimal(0))

    async def stream(self, *, whole: bool = False) -> EventStream:
        """Yield the answer of the first provider that gives one; its last `Finish` says what it cost.

        Args:
            whole: Whether nothing is yielded before the answer is whole, so that where one breaks off the
                next provider is still asked.

        Raises:
            BudgetExceeded: It doesn't fit under a cap; nothing left.
            ProviderError: All failed, or the one whose answer was being shown.
        """
        redaction = self.outgoing.redaction
        restorer = redaction.restorer() if redaction else None
        events = await self._begin(whole=whole)
        async with aclosing(events):
            async for each in events:
                for event in restorer.event(each) if restorer else [each]:
                    yield self._billed(event)

    async def _begin(self, *, whole: bool) -> EventStream:
        """An answer that has begun, or is whole, after as many attempts as it takes."""
        hosted = self._hosted
        settings, deadline = hosted.settings, hosted.now() + hosted.settings.deadline_s
        attempts = Attempts(
            len(self._line), retries=settings.retries, deadline=deadline, chance=hosted.chance
        )
        while (then := attempts.next(hosted.now(), self._admits)) is not None:
            await hosted.sleep(then.wait_s)
            outgoing = self._line[then.number]
            if not hosted.sides[outgoing.provider].breaker.take():
                continue
            attempt = self._attempt(outgoing)
            try:
                return await self._opened(attempt, deadline, whole=whole)
            except IsthmusError as error:
                attempts.failed(then.number, error, hosted.now(), booked=attempt.cost_usd > 0)
        raise attempts.error or self._all_rest()

    def _attempt(self, outgoing: Outgoing) -> Attempt:
        """The next attempt, on which nothing was done yet."""
        self.outgoing = outgoing
        attempt = Attempt(self._hosted.sides[outgoing.provider], outgoing)
        self.attempts.append(attempt)
        return attempt

    async def _opened(self, attempt: Attempt, deadline: float, *, whole: bool) -> EventStream:
        """The attempt's answer, once its first event is there, or its last."""
        name = attempt.outgoing.provider
        events = attempt.stream(self._hosted.ledger, self._reservation(attempt.outgoing))
        try:
            with anyio.fail_after(max(0.0, deadline - self._hosted.now())):
                first = await anext(events)
        except StopAsyncIteration:
            raise ProviderCut(f"{name} ended without an answer") from None
        except TimeoutError:
            self._hosted.sides[name].breaker.failed()
            attempt.error = ProviderTimeout(
                f"{name} had no answer within {self._hosted.settings.deadline_s:g} s",
                hint="raise handoff.deadline_s",
            )
            raise attempt.error from None
        held = [*_lessened(attempt.outgoing), first]
        if not whole:
            return _resumed(held, events)
        async with aclosing(events):
            return _resumed([*held, *[event async for event in events]])

    def _reservation(self, outgoing: Outgoing) -> ReservationRequest:
        """What is put aside for one attempt; the cap on a question counts those before it, too."""
        budget, provider = self._hosted.settings.budget, self._hosted.sides[outgoing.provider].settings
        return ReservationRequest(
            question_id=self._question_id,
            provider=outgoing.provider,
            key=self._key,
            amount_usd=outgoing.worst_usd,
            caps=Caps(budget.request_usd, budget.day_usd, budget.month_usd),
            key_caps=self._key_caps,
            provider_caps=Caps(day_usd=provider.day_usd, month_usd=provider.month_usd),
            lifetime_s=_LIFETIME_S,
        )

    def _admits(self, index: int) -> bool:
        return self._hosted.sides[self._line[index].provider].breaker.admits

    def _all_rest(self) -> ProviderFailed:
        """Why nobody was asked: each provider has failed so often that it is left alone."""
        rests = [self._hosted.sides[each.provider].breaker.health.rests_s for each in self._line]
        names = " and ".join(each.provider for each in self._line)
        return ProviderFailed(
            f"{names} failed too often, so nothing is sent for now",
            hint=f"ask again in {min(rests):.0f} s, or: isthmus handoff check {self._line[0].provider}",
        )

    def _billed(self, event: Event) -> Event:
        """The last `Finish` says what all attempts cost."""
        if isinstance(event, Finish) and event.cost_usd is not None and len(self.attempts) > 1:
            return msgspec.structs.replace(event, cost_usd=self.cost_usd)
        return event


def _lessened(outgoing: Outgoing) -> list[Notice]:
    """A word on what the provider takes none of, if anything: a question is never made less in silence."""
    if not outgoing.left_out:
        return []
    names = ", ".join(outgoing.left_out)
    return [Notice("left_out", f"{outgoing.provider} takes no {names}, so it was asked without")]


async def _resumed(held: Sequence[Event], rest: EventStream | None = None) -> EventStream:
    """What was held, then the rest as it comes."""
    if rest is None:
        for event in held:
            yield event
        return
    async with aclosing(rest):
        for event in held:
            yield event
        async for event in rest:
            yield event
