"""The hosted call: what would leave, the money put aside for it, the answer, the bill.

outgoing = hosted.prepare(request)      # the exact bytes, and what they cost at worst
hosted.stream(outgoing, ...)            # reserve -> send -> settle
"""

from contextlib import aclosing
from decimal import Decimal
from hashlib import sha256
from typing import Any

import anyio
import anyio.to_thread
import msgspec
from msgspec import Struct

from isthmus.errors import HandoffRefused, ProviderFailed, ProviderRejected, ProviderUnreachable
from isthmus.generator import EventStream
from isthmus.handoff.pricing import Price, price_of, worst_case_tokens
from isthmus.ledger import Caps, Ledger, ReservationRequest
from isthmus.messages import Finish, GenerationRequest
from isthmus.providers.hosted import HostedProvider
from isthmus.settings import HandoffSettings, ProviderSettings, Secret

_LIFETIME_S = 3600.0
"""A reservation older than this was left by a crash."""
_UNCAPPED = Caps()


class Outgoing(Struct, frozen=True):
    """What would leave this machine, to whom, and what it costs at worst."""

    provider: str
    host: str
    model: str
    body: bytes
    choices: int
    worst_usd: Decimal

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes, in hex."""
        return sha256(self.body).hexdigest()

    @property
    def content(self) -> dict[str, Any]:
        """The body as it will be read there."""
        return msgspec.json.decode(self.body)


class HostedModel:
    """The hosted model that questions are handed to, within the budget.

    Args:
        name: The provider's name in the settings.
        provider: Its address and price.
        settings: The caps, and the longest answer.
        ledger: Where money is put aside and what was spent is written.
        key: The provider's key.
    """

    def __init__(
        self,
        name: str,
        provider: ProviderSettings,
        settings: HandoffSettings,
        ledger: Ledger,
        key: Secret | None = None,
    ) -> None:
        self.name = name
        self._settings = settings
        self._provider_settings = provider
        self._provider = HostedProvider(name, provider, key)
        self._ledger = ledger

    def prepare(self, request: GenerationRequest) -> Outgoing:
        """Render what would leave. Nothing leaves yet.

        Raises:
            HandoffRefused: It is a raw prompt, or has a grammar: the policy keeps both home.
            PriceUnknown: The cost can't be bounded.
        """
        if request.raw is not None:
            raise HandoffRefused("a raw prompt stays home: hosted models take conversations")
        if request.grammar is not None:
            raise HandoffRefused("a question with a grammar stays home: hosted models keep to none")
        limit = self._settings.max_output_tokens
        bounded = msgspec.structs.replace(request, max_tokens=min(request.max_tokens or limit, limit))
        body = self._provider.render(bounded)
        images = sum(message.images for message in request.messages)
        price = self._price()
        return Outgoing(
            provider=self.name,
            host=self._provider_settings.host,
            model=self._provider.model.name,
            body=body,
            choices=request.n,
            worst_usd=price(worst_case_tokens(body, images), (bounded.max_tokens or limit) * request.n),
        )

    def call(
        self, outgoing: Outgoing, question_id: str, key: str | None = None, key_caps: Caps = _UNCAPPED
    ) -> "HostedCall":
        """A call that is ready to leave, for the API key of that name, which may have caps of its own."""
        budget = self._settings.budget
        reservation = ReservationRequest(
            question_id=question_id,
            provider=self.name,
            key=key,
            amount_usd=outgoing.worst_usd,
            caps=Caps(budget.request_usd, budget.day_usd, budget.month_usd),
            key_caps=key_caps,
            lifetime_s=_LIFETIME_S,
        )
        return HostedCall(self._provider, outgoing, self._price(), self._ledger, reservation)

    async def close(self) -> None:
        """Give the connections back."""
        await self._provider.close()

    def _price(self) -> Price:
        return price_of(self.name, self._provider_settings)


class HostedCall:
    """One call. ``left`` says whether the bytes left this machine, ``cost_usd`` what is booked for it."""

    def __init__(
        self,
        provider: HostedProvider,
        outgoing: Outgoing,
        price: Price,
        ledger: Ledger,
        reservation: ReservationRequest,
    ) -> None:
        self._provider = provider
        self._price = price
        self._ledger = ledger
        self._reservation = reservation
        self.outgoing = outgoing
        self.left = False
        self.cost_usd = Decimal(0)

    async def stream(self) -> EventStream:
        """Put the money aside, send, and yield the answer; its last `Finish` says what it cost.

        A call that was never billed (refused, unreachable) costs nothing. One that was cut, cancelled or
        came without usage is booked at its worst case: unknown is not free.

        Raises:
            BudgetExceeded: It doesn't fit under a cap; nothing left.
            ProviderError: The provider failed.
        """
        reservation = await anyio.to_thread.run_sync(self._ledger.reserve, self._reservation)
        self.cost_usd, self.left, began, ends = reservation.amount_usd, True, False, 0
        try:
            async with aclosing(self._provider.send(self.outgoing.body, self.outgoing.choices)) as events:
                async for event in events:
                    began = True
                    if isinstance(event, Finish):
                        ends += 1
                        event = self._billed(event, last=ends == self.outgoing.choices)
                    yield event
        except (ProviderRejected, ProviderFailed, ProviderUnreachable) as error:
            self.left = not isinstance(error, ProviderUnreachable)
            if not began:
                self.cost_usd = Decimal(0)
            raise
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._ledger.settle, reservation.id, self.cost_usd)

    def _billed(self, finish: Finish, *, last: bool) -> Finish:
        if finish.usage is not None:
            self.cost_usd = self._price(finish.usage.prompt_tokens, finish.usage.completion_tokens)
        return msgspec.structs.replace(finish, cost_usd=self.cost_usd) if last else finish
