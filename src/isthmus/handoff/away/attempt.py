"""One attempt: money put aside, bytes sent, the answer, the bill."""

from contextlib import aclosing
from decimal import Decimal
from functools import cached_property

import anyio
import anyio.to_thread
import msgspec

from isthmus.errors import IsthmusError, ProviderError, ProviderRejected, ProviderUnreachable
from isthmus.generator import EventStream
from isthmus.handoff.away.breaker import Breaker
from isthmus.handoff.away.outgoing import Outgoing
from isthmus.handoff.away.pricing import Price, price_of
from isthmus.ledger import Ledger, ReservationRequest
from isthmus.messages import Finish
from isthmus.providers.hosted import HostedProvider
from isthmus.settings import ProviderSettings, Secret


class Side:
    """One provider that questions may be handed to: its connections, its price, how it does.

    Args:
        provider: It.
        settings: Its address and price.
        breaker: What leaves it alone while it fails.
    """

    def __init__(self, provider: HostedProvider, settings: ProviderSettings, breaker: Breaker) -> None:
        self.provider = provider
        self.settings = settings
        self.breaker = breaker

    @property
    def name(self) -> str:
        """What the settings call it."""
        return self.provider.name

    @cached_property
    def price(self) -> Price:
        """What it costs.

        Raises:
            PriceUnknown: Nobody knows.
        """
        return price_of(self.name, self.settings, self.provider.vendor)


def open_side(name: str, settings: ProviderSettings, breaker: Breaker, key: Secret | None = None) -> Side:
    """A side whose address is known; `isthmus.handoff.away.opening` opens those that name a vendor."""
    return Side(HostedProvider(name, settings, key), settings, breaker)


class Attempt:
    """One call of one provider.

    ``left`` says whether the bytes left this machine, ``cost_usd`` what is booked for it, ``error`` why it
    failed, where it did.
    """

    def __init__(self, side: Side, outgoing: Outgoing) -> None:
        self._side = side
        self.outgoing = outgoing
        self.left = False
        self.cost_usd = Decimal(0)
        self.error: IsthmusError | None = None

    async def stream(self, ledger: Ledger, reservation: ReservationRequest) -> EventStream:
        """Put the money aside, send, and yield the answer; its last `Finish` says what it cost.

        A call that was never billed (refused, unreachable) costs nothing. One that was cut, cancelled or
        came without usage is booked at its worst case: unknown is not free.

        Raises:
            BudgetExceeded: It doesn't fit under a cap; nothing left.
            ProviderError: The provider failed.
        """
        breaker = self._side.breaker
        try:
            reserved = await anyio.to_thread.run_sync(ledger.reserve, reservation)
        except BaseException as error:
            breaker.released()
            self._note(error)
            raise
        self.cost_usd, self.left = reserved.amount_usd, True
        try:
            async with aclosing(self._answer()) as events:
                async for event in events:
                    yield event
            breaker.succeeded()
        except BaseException as error:
            self._note(error)
            _report(breaker, error)
            raise
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(ledger.settle, reserved.id, self.cost_usd)

    async def _answer(self) -> EventStream:
        began, ends = False, 0
        try:
            async with aclosing(
                self._side.provider.send(self.outgoing.body, self.outgoing.choices)
            ) as events:
                async for event in events:
                    if not began:
                        began = True
                        self._side.breaker.begun()
                    if isinstance(event, Finish):
                        ends += 1
                        event = self._billed(event, last=ends == self.outgoing.choices)
                    yield event
        except ProviderError as error:
            self.left = not isinstance(error, ProviderUnreachable)
            if not (began or error.billed):
                self.cost_usd = Decimal(0)
            raise

    def _billed(self, finish: Finish, *, last: bool) -> Finish:
        if finish.usage is not None:
            self.cost_usd = self._side.price(finish.usage)
        return msgspec.structs.replace(finish, cost_usd=self.cost_usd) if last else finish

    def _note(self, error: BaseException) -> None:
        self.error = error if isinstance(error, IsthmusError) else None


def _report(breaker: Breaker, error: BaseException) -> None:
    """Tell the breaker how it went: who says no is well, and who wasn't heard out is nobody's failure."""
    if isinstance(error, ProviderRejected):
        breaker.succeeded()
    elif isinstance(error, ProviderError):
        breaker.failed()
    else:
        breaker.released()
